"""`python -m turnwire_cli` is `turnwire`."""

from turnwire_cli.main import main

if __name__ == "__main__":
    main()
