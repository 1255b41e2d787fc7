"""`python -m custodiet` is the command `custodiet`."""

from custodiet.cli.main import main

if __name__ == "__main__":
    main()
