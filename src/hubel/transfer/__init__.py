"""What transfer learning does to a network: layer groups, and freezing that is checked."""
