"""`python -m turnwire_dev` is `turnwire`."""

from turnwire_cli.main import main

if __name__ == "__main__":
    main()
