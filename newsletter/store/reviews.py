"""What was shown to whoever says yes, and what they said, within one transaction. What was said is only ever added."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, exists, insert, select, update

from newsletter.core.problem import Level, Problem
from newsletter.core.review import Act, Deed, Fate, Outlook, Review
from newsletter.store.schema import deeds, reviews


class Reviews:
    """Reviews and deeds within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    def keep(self, review: Review) -> int:
        """Write a review down; the same mail of the same issue has one row, which says what is so now. Out: its id."""
        same = and_(reviews.c.key == review.key, reviews.c.content == review.content)
        known: int | None = self._sql.scalars(select(reviews.c.id).where(same)).one_or_none()
        if known is not None:
            self._sql.execute(update(reviews).where(reviews.c.id == known).values(_values(review)))
            return known
        added = self._sql.execute(insert(reviews).values(_values(review))).inserted_primary_key
        assert added is not None
        return int(added[0])

    def of(self, review_id: int) -> Review | None:
        """A review by its id."""
        row = self._sql.execute(select(reviews).where(reviews.c.id == review_id)).one_or_none()
        return _review(row) if row else None

    def newest(self, key: str) -> Review | None:
        """The latest of an issue."""
        query = select(reviews).where(reviews.c.key == key).order_by(reviews.c.made_at.desc(), reviews.c.id.desc())
        row = self._sql.execute(query.limit(1)).one_or_none()
        return _review(row) if row else None

    def due(self, after: datetime, until: datetime) -> list[Review]:
        """The latest of each issue whose time lies between two moments, whether there is a file of it here or not."""
        theirs = select(reviews.c.key).where(reviews.c.due_at > after, reviews.c.due_at <= until).distinct()
        found = [self.newest(key) for key in self._sql.scalars(theirs).all()]
        return [one for one in found if one and one.outlook.at and after < one.outlook.at <= until]

    def forget(self, before: datetime) -> int:
        """Take away what was looked at long ago and never led to a word; how many."""
        silent = ~exists().where(deeds.c.review_id == reviews.c.id)
        return self._sql.execute(delete(reviews).where(reviews.c.made_at < before, silent)).rowcount

    def add(self, review: Review, act: Act, by: str, now: datetime, holds_until: datetime | None) -> None:
        """Write down what somebody did."""
        row = {
            "review_id": review.id,
            "key": review.key,
            "act": act,
            "by": by,
            "content": review.content,
            "plan": json.dumps(review.plan) if review.plan is not None else None,
            "at": now,
            "holds_until": holds_until,
        }
        self._sql.execute(insert(deeds).values(row))

    def last(self, key: str) -> Deed | None:
        """What was done last with an issue."""
        query = select(deeds).where(deeds.c.key == key).order_by(deeds.c.id.desc()).limit(1)
        row = self._sql.execute(query).one_or_none()
        if row is None:
            return None
        return Deed(
            id=row.id,
            key=row.key,
            act=Act(row.act),
            by=row.by,
            content=row.content,
            plan=json.loads(row.plan) if row.plan else None,
            at=row.at,
            holds_until=row.holds_until,
        )


_SAID = ("file", "line", "col", "code", "level", "message", "fix", "source")


def _values(review: Review) -> dict[str, Any]:
    outlook = {**asdict(review.outlook), "at": review.outlook.at.isoformat() if review.outlook.at else None}
    return {
        "key": review.key,
        "subject": review.subject,
        "preheader": review.preheader,
        "content": review.content,
        "outlook": json.dumps(outlook, ensure_ascii=False),
        "mails": json.dumps(dict(review.mails), ensure_ascii=False),
        "problems": json.dumps([_plain(one) for one in review.problems], ensure_ascii=False),
        "plan": json.dumps(review.plan, ensure_ascii=False) if review.plan is not None else None,
        "due_at": review.outlook.at,
        "made_at": review.made_at,
    }


def _plain(one: Problem) -> Mapping[str, Any]:
    return {name: getattr(one, name) for name in _SAID}


def _review(row: Row[Any]) -> Review:
    said = json.loads(row.outlook)
    at = datetime.fromisoformat(said["at"]) if said["at"] else None
    return Review(
        key=row.key,
        subject=row.subject,
        preheader=row.preheader,
        content=row.content,
        outlook=Outlook(**{**said, "fate": Fate(said["fate"]), "at": at}),
        mails=json.loads(row.mails),
        problems=tuple(Problem(**{**one, "level": Level(one["level"])}) for one in json.loads(row.problems)),
        plan=json.loads(row.plan) if row.plan else None,
        made_at=row.made_at,
        id=row.id,
    )
