"""Publish a student on a model hub, with a card of its scores, recipe and licences.

    python -m stage2_train.publish --ckpt runs/demo/student --to org/name --dry-run
    python -m stage2_train.publish --ckpt runs/demo/student --to org/name

Writes <ckpt>/../published/ORG/NAME/, exactly what is uploaded: the portable student and README.md,
tensors as safetensors only. A dry run ends there. The token is huggingface_hub's (`hf auth login`,
or HF_TOKEN); HF_ENDPOINT is honoured. Then anyone may `Student.load("hf://org/name")`.
"""

import argparse
from pathlib import Path

from pipeline.config import load_params
from pipeline.errors import exit_on_user_error
from pipeline.interruption import importing


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m stage2_train.publish",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--ckpt", required=True, type=Path, help="folder of a portable student")
    parser.add_argument("--to", required=True, metavar="ORG/NAME", help="repository on the hub")
    parser.add_argument("--dry-run", action="store_true", help="write the folder, upload nothing")
    parser.add_argument("--params", default="params.yaml", help="default: %(default)s")
    arguments = parser.parse_args()
    params = load_params(arguments.params)
    with importing():
        from stage2_train.model_card import model_card
        from stage2_train.publication import check_address, staged, upload

    check_address(arguments.to)
    folder = staged(params, arguments.ckpt, arguments.to)
    card = model_card(params, arguments.ckpt, folder, arguments.to)
    (folder / "README.md").write_text(card)
    if arguments.dry_run:
        print(f"{folder}: what would be uploaded to {arguments.to}")
    else:
        print(upload(folder, arguments.to))


if __name__ == "__main__":
    exit_on_user_error(main)
