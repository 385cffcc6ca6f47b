"""`python -m obligor`."""

from obligor.cli import main

if __name__ == "__main__":
    main()
