"""Right: `scoped_session` keeps one session for each thread, and every job of the pool gives its own back."""

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, scoped_session, sessionmaker


class Base(DeclarativeBase):
    pass


class Picture(Base):
    __tablename__ = "pictures"

    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str]
    thumbnail: Mapped[str | None]


Session = scoped_session(sessionmaker())


def make_thumbnail(picture_id: int) -> str | None:
    try:
        picture = Session.get(Picture, picture_id)
        if picture is None:
            return None
        picture.thumbnail = picture.path.replace(".jpg", ".small.jpg")
        Session.commit()
        return picture.thumbnail
    finally:
        Session.remove()


def make_all() -> list[str | None]:
    ids = list(Session.scalars(select(Picture.id).where(Picture.thumbnail.is_(None))))
    Session.remove()
    with ThreadPoolExecutor(max_workers=4) as pool:
        return list(pool.map(make_thumbnail, ids))


def run(url: str) -> None:
    engine = create_engine(url)
    Session.configure(bind=engine)
    make_all()
    engine.dispose()
