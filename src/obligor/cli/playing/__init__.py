"""Playing a lender through the real HTTP API: the simulated one, or a lender's own book."""

from obligor.cli.playing.book import BookPlayer
from obligor.cli.playing.server import Server
from obligor.cli.playing.stage import Deadline, Player, Progress
from obligor.cli.playing.world import WorldPlayer

__all__ = ["BookPlayer", "Deadline", "Player", "Progress", "Server", "WorldPlayer"]
