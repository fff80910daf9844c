"""``python -m domainkit``: the command line without its script."""

from domainkit.cli.main import main

if __name__ == "__main__":
    main()
