"""``python -m minirun``: the same as the command ``minirun``."""

from minirun.cli import main

if __name__ == "__main__":
    main()
