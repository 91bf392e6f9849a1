"""The network of the paper (arXiv 2505.16980, sec. 3), one file per idea."""
