"""Broken: a pool of threads works through the pictures, and all threads use one synchronous Session."""

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker


class Base(DeclarativeBase):
    pass


class Picture(Base):
    __tablename__ = "pictures"

    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str]
    thumbnail: Mapped[str | None]


def make_thumbnail(session: Session, picture_id: int) -> str | None:
    picture = session.get(Picture, picture_id)  # expect-any: shared_by_tasks
    if picture is None:
        return None
    picture.thumbnail = picture.path.replace(".jpg", ".small.jpg")
    session.commit()  # expect-any: shared_by_tasks
    return picture.thumbnail


def make_all(session: Session) -> list[str | None]:
    ids = list(session.scalars(select(Picture.id).where(Picture.thumbnail.is_(None))))
    with ThreadPoolExecutor(max_workers=4) as pool:
        futures = [  # expect-any: shared_by_tasks
            pool.submit(make_thumbnail, session, picture_id) for picture_id in ids
        ]
    return [future.result() for future in futures]


def run(url: str) -> None:
    engine = create_engine(url)
    make_session = sessionmaker(engine)
    with make_session() as session:
        make_all(session)
    engine.dispose()
