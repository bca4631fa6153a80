"""Right: the project's own class Session is a player's round in memory, and has nothing to do with a database."""

from dataclasses import dataclass, field

from pydantic_ai import Agent, RunContext


@dataclass
class Session:
    """One round of a player."""

    player: str
    moves: list[str] = field(default_factory=list)

    def add(self, move: str) -> None:
        self.moves.append(move)

    def execute(self, command: str) -> str:
        self.add(command)
        return f"{self.player} did {command}"

    def commit(self) -> int:
        return len(self.moves)


@dataclass
class GameDeps:
    session: Session


game_master = Agent(deps_type=GameDeps)


@game_master.tool
async def move(ctx: RunContext[GameDeps], direction: str) -> str:
    """Move the player."""
    return ctx.deps.session.execute(f"go {direction}")


@game_master.tool
async def take(ctx: RunContext[GameDeps], item: str) -> int:
    """Take an item."""
    ctx.deps.session.add(f"take {item}")
    return ctx.deps.session.commit()


async def main(model: object, url: str) -> str:
    deps = GameDeps(session=Session(player="Ada"))
    return (await game_master.run("North, and take the lamp", deps=deps, model=model)).output
