"""The generated try-on world: people in motion whose garments, poses, masks and flow are known exactly."""
