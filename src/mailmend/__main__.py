"""`python -m mailmend` is the command `mailmend`."""

from mailmend.ui.cli import main

if __name__ == "__main__":
    main()
