"""Broken: a synchronous batch keeps one transaction open over all the runs of the model, row locks included."""

from pydantic_ai import Agent
from sqlmodel import Field, Session, SQLModel, create_engine, select


class Letter(SQLModel, table=True):
    __tablename__ = "letters"

    id: int | None = Field(default=None, primary_key=True)
    body: str
    summary: str | None = None


summarizer = Agent(instructions="Summarize the letter in one sentence.")


def summarize_letters(url: str, model: object) -> int:
    engine = create_engine(url)
    done = 0
    with Session(engine) as session:  # expect-any: held_across_run
        letters = session.exec(  # expect-any: held_across_run
            select(Letter).where(Letter.summary == None).with_for_update()
        ).all()
        for letter in letters:
            letter.summary = summarizer.run_sync(letter.body, model=model).output  # expect-any: held_across_run
            session.add(letter)
            done += 1
        session.commit()
    return done
