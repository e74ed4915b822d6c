"""`python -m turnwire_dev` is `turnwire`."""

from turnwire_dev.cli import main

if __name__ == "__main__":
    main()
