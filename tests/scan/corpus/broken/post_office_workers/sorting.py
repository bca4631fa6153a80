"""Broken: threads of a pool sort parcels with one repository, which has one session."""

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
    def __init__(self, db: Session) -> None:
        self.db = db

    def unsorted(self) -> list[Parcel]:
        return list(self.db.scalars(select(Parcel).where(Parcel.bay.is_(None))))

    def put(self, parcel: int, bay: int) -> None:
        self.db.execute(update(Parcel).where(Parcel.id == parcel).values(bay=bay))  # expect-any: shared_by_tasks
        self.db.commit()


def sort_one(repository: ParcelRepository, parcel: int, postcode: str) -> int:
    bay = int(postcode[:2]) % 12
    repository.put(parcel, bay)
    return bay


def sort_all(url: str) -> dict[int, int]:
    factory = sessionmaker(create_engine(url))
    bays: dict[int, int] = {}
    with factory() as db, ThreadPoolExecutor(max_workers=8) as pool:
        repository = ParcelRepository(db)
        futures: dict[Future[int], int] = {
            pool.submit(sort_one, repository, parcel.id, parcel.postcode): parcel.id  # expect-any: shared_by_tasks
            for parcel in repository.unsorted()
        }
        for future in as_completed(futures):
            bays[futures[future]] = future.result()
    return bays
