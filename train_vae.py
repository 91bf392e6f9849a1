#!/usr/bin/env python3
"""Train the small VAE (AutoencoderTiny, TAESD's layout) on generated pictures: dead leaves and try-on scenes.

It needs no data set. Loss: L1 of the picture and of its gradients, with a little noise on the latents, so that a
diffusion model's small errors do not show. Saves a resumable state every two minutes and the VAE at the end.
"""

import sys

from dpidm_model.cli import finish, make_parser

EXAMPLES = """\
  train_vae.py --steps 4500 --out dpidm_model/weights/vae/dpidm-tiny-vae.safetensors
  train_vae.py --steps 20 --run runs/vae-try --out /tmp/vae.safetensors --json"""


def main() -> int:
    """Parse the command line and train."""
    parser = make_parser(__doc__ or "", EXAMPLES)
    parser.add_argument(
        "--steps", type=int, default=4500, help="training steps in total, over all resumed runs (0.8 s each)"
    )
    parser.add_argument("--run", default="runs/vae", help="folder of the resumable state")
    parser.add_argument("--out", required=True, help="where the finished VAE goes (.safetensors)")
    parser.add_argument("--channels", type=int, default=16, help="latent channels")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    from dpidm_model.training.vae import train

    run = lambda: train(args.run, args.out, args.steps, latent_channels=args.channels, seed=args.seed)  # noqa: E731
    return finish(run, getattr(args, "json", False))


if __name__ == "__main__":
    sys.exit(main())
