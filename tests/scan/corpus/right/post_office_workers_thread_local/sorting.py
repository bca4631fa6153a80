"""Right: threads of a pool keep a session each, in what is local to a thread."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor, as_completed

from sqlalchemy import create_engine, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker


class Base(DeclarativeBase):
    pass


class Parcel(Base):
    __tablename__ = "parcels"

    id: Mapped[int] = mapped_column(primary_key=True)
    postcode: Mapped[str]
    bay: Mapped[int | None]


class ParcelRepository:
    def __init__(self, factory: sessionmaker[Session]) -> None:
        self._factory = factory
        self._local = threading.local()

    @property
    def db(self) -> Session:
        if not hasattr(self._local, "db"):
            self._local.db = self._factory()
        return self._local.db

    def unsorted(self) -> list[tuple[int, str]]:
        return [(parcel.id, parcel.postcode) for parcel in self.db.scalars(select(Parcel).where(Parcel.bay.is_(None)))]

    def put(self, parcel: int, bay: int) -> None:
        self.db.execute(update(Parcel).where(Parcel.id == parcel).values(bay=bay))
        self.db.commit()


def sort_one(repository: ParcelRepository, parcel: int, postcode: str) -> int:
    bay = int(postcode[:2]) % 12
    repository.put(parcel, bay)
    return bay


def sort_all(url: str) -> dict[int, int]:
    repository = ParcelRepository(sessionmaker(create_engine(url)))
    bays: dict[int, int] = {}
    with ThreadPoolExecutor(max_workers=8) as pool:
        futures: dict[Future[int], int] = {
            pool.submit(sort_one, repository, parcel, postcode): parcel for parcel, postcode in repository.unsorted()
        }
        for future in as_completed(futures):
            bays[futures[future]] = future.result()
    return bays
