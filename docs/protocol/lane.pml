/* How a lane reads, writes and commits, exactly once. docs/protocol/README.md says what is modelled and what is not.
 *
 * One source partition, one destination partition, one group. Two workers believe, each as long as it likes, that the
 * partition is theirs: the other one is then a zombie. A transaction holds one record.
 *
 * The switches are set by `make model`; 1 is what the worker does, or what the broker has.
 */

#ifndef FENCE
#define FENCE 1             /* both workers use one transactional id: the start of a producer fences the one before */
#endif
#ifndef READ_AFTER_START
#define READ_AFTER_START 1  /* the committed offset is read when the producer has started, not before */
#endif
#ifndef STABLE
#define STABLE 1            /* OffsetFetch with require_stable: an offset that is on its way is waited for */
#endif
#ifndef NO_ABORT
#define NO_ABORT 1          /* after an unanswered request the producer is thrown away and ends nothing itself */
#endif
#ifndef SETTLE
#define SETTLE 1            /* a transaction begins when the offset of the one before is applied */
#endif
#ifndef CLEAR
#define CLEAR 1             /* an offset that stays on its way is cleared by a transaction of the lane's own */
#endif
#ifndef CLEAR_BARE
#define CLEAR_BARE 1        /* that transaction names no offset */
#endif
#ifndef FIRST
#define FIRST 1             /* where the group has no offset, the lane commits its beginning first, with a note */
#endif
#ifndef AGAIN
#define AGAIN 1             /* an offset of its own that the coordinator has lost is committed again */
#endif
#ifndef LEAVE
#define LEAVE 1             /* also before a lane leaves in order */
#endif
#ifndef KNOWN
#define KNOWN 1             /* a worker begins no lower than what it has seen committed */
#endif
#ifndef SEEN_BESIDE
#define SEEN_BESIDE 0       /* a worker that starts has seen later offsets of other partitions */
#endif
#ifndef BESIDE
#define BESIDE 1            /* it asks about these, too, and does not begin where they went back */
#endif
#ifndef READ_BACK
#define READ_BACK 1         /* an offset that the lane's own output contradicts is not believed */
#endif
#ifndef TAKEN_BACK
#define TAKEN_BACK 1        /* nor is one whose output was taken back, with its transaction */
#endif
#ifndef PLACE
#define PLACE 1             /* the first note says where the outputs ended, so that all of the lane's is behind that */
#endif
#ifndef PATIENT
#define PATIENT 1           /* nor is it believed at once that there is none, where the lane has written */
#endif

#ifndef VERIFY_PRODUCE
#define VERIFY_PRODUCE 0    /* KIP-890, since 3.6: a batch outside of its transaction is refused */
#endif
#ifndef VERIFY_OFFSETS
#define VERIFY_OFFSETS 0    /* since 3.7: so are offsets */
#endif
#ifndef LATE
#define LATE 1              /* up to 3.9.0: the group's coordinator applies the end of a transaction later */
#endif
#ifndef DROPS
#define DROPS LATE          /* up to 3.9: an offset that is refused takes the pending one of its producer id with it */
#endif
#ifndef LOADS
#define LOADS 0             /* since 4.0: how often the coordinator answers before it has loaded its log */
#endif
#ifndef WRITES
#define WRITES 0            /* it takes offsets meanwhile: a marker of some group was written */
#endif
#ifndef OPERATOR
#define OPERATOR 1          /* somebody restarts a coordinator that a lane does not believe and says so */
#endif
#ifndef KILLS
#define KILLS 1             /* workers are killed, and know nothing then */
#endif
#ifndef LEFTOVER
#define LEFTOVER 0          /* at first there is an offset that came after the abort of its transaction */
#endif

#ifndef RECORDS
#define RECORDS 2
#endif
#ifndef WORKERS
#define WORKERS 2
#endif
#ifndef STARTS
#define STARTS 3            /* producers that are started, by both workers together */
#endif
#ifndef LOSSES
#define LOSSES 2            /* requests that are not answered */
#endif

#define NONE 9
#define IDS (2 - FENCE)
#if LEFTOVER
#define AT_FIRST 1
#else
#define AT_FIRST NONE
#endif

mtype = { EMPTY, ONGOING, COMMITTING, ABORTING }    /* of a transaction */
mtype = { NOTHING, ADD_PARTITION, ADD_OFFSETS }     /* of a late request to the transaction's coordinator */

/* What the brokers know of a producer id. */
typedef Producer {
    mtype state = EMPTY;    /* the transaction's coordinator */
    byte epoch;
    bit partition;          /* the destination is in the transaction, and not marked yet */
    bit offsets;            /* so is the group's partition of __consumer_offsets */
    byte leader_epoch;      /* the destination's leader: the highest that it has seen */
    byte first = NONE;      /* records of the open transaction, in their order */
    byte second = NONE;
    byte group_epoch;       /* the group's coordinator: the highest that its partition has seen */
    byte pending = AT_FIRST;/* the offset in its memory that the end of a transaction will apply or drop */
    byte written = AT_FIRST /* the offset in its log */
};
Producer ids[IDS];

byte offset;                            /* the group's offset, as OffsetFetch answers it */
bit noted;                              /* there is one, with the note of a lane: else it is 0, the beginning */
byte committed;                         /* the same, as the log says */
bit logged;
#if LOADS
byte loads;
bit half;                               /* the coordinator has read a part of its log, and answers */
byte dropped = NONE;                    /* the offset whose end it has not read yet, and which an abort has dropped */
#endif
chan ends = [2] of { byte, bit };       /* ends of transactions that are written and not applied: of whom, committed? */
#if FENCE
#define ON_ITS_WAY (STABLE && ids[0].pending != NONE)
#else
#define ON_ITS_WAY (STABLE && (ids[0].pending != NONE || ids[1].pending != NONE))
#endif

byte output;                            /* records in the destination that can be read: 0 to output - 1, once each */

/* Requests that were not answered and may still arrive; one of each kind, the latest. */
byte late_record = NONE, late_record_epoch;
byte late_offset = NONE, late_offset_epoch;
mtype late_add = NOTHING; byte late_add_epoch;
bit late_end, late_end_commits; byte late_end_epoch, late_end_owner;

byte starts, losses;                    /* so far */
byte owners;                            /* producers that have started; each is an owner, in this order */
byte newest;                            /* the last owner that has read its start offset */

#define MINE ids[id]
#define IS_CLASSIC (DROPS || LATE)      /* the coordinator is that of Kafka before 4.0, as far as a worker can tell */

/* The brokers' side. Each request is handled at once; what it answers is in `ok`. */

inline add_to_transaction(the_epoch, what) {
    ok = (the_epoch == MINE.epoch && (MINE.state == EMPTY || MINE.state == ONGOING));
    if
    :: ok -> MINE.state = ONGOING;
        if
        :: what == ADD_PARTITION -> MINE.partition = 1
        :: else -> MINE.offsets = 1
        fi
    :: else
    fi
}

inline take_record(the_epoch, record) {
    ok = (the_epoch >= MINE.leader_epoch && MINE.second == NONE
        && (!VERIFY_PRODUCE || (MINE.state == ONGOING && MINE.partition && the_epoch == MINE.epoch)));
    if
    :: ok -> MINE.leader_epoch = the_epoch;
        if
        :: MINE.first == NONE -> MINE.first = record
        :: else -> MINE.second = record
        fi
    :: else
    fi
}

#if LOADS
#define TAKES_OFFSETS (!half || WRITES)
#else
#define TAKES_OFFSETS 1
#endif

inline take_offset(the_epoch, the_offset) {
    ok = (the_epoch >= MINE.group_epoch
        && (!VERIFY_OFFSETS || (MINE.state == ONGOING && MINE.offsets && the_epoch == MINE.epoch))
        && TAKES_OFFSETS);
    if
    :: ok -> MINE.group_epoch = the_epoch; MINE.pending = the_offset; MINE.written = the_offset
    /* Since 3.7 it is asked about first, unless that producer id has an offset in its log that is not ended. */
    :: !ok && DROPS && (!VERIFY_OFFSETS || MINE.written != NONE) -> MINE.pending = NONE
    :: else
    fi
}

inline end_transaction(the_epoch, commits, owner) {
    ok = (the_epoch == MINE.epoch && MINE.state == ONGOING);
    if
    :: ok && commits ->
        assert(owner >= newest);        /* I5: no commit by an old owner once the next one has read its offset */
        MINE.state = COMMITTING
    :: ok && !commits -> MINE.state = ABORTING
    :: else
    fi
}

inline make_visible(record) {
    if
    :: record != NONE ->
        assert(record >= output);       /* I2: no record twice */
        assert(record <= output);       /* I1, I3: none left out, in the source's order */
        output++;
        record = NONE
    :: else
    fi
}

inline apply(commits) {
#if LOADS
    if
    :: half && !commits && MINE.pending != NONE && MINE.pending <= committed -> dropped = MINE.pending
    :: else
    fi;
#endif
    if
    :: commits && MINE.pending != NONE -> offset = MINE.pending; noted = 1
    :: else
    fi;
    MINE.pending = NONE
}

/* What a coordinator answers when it has read all of its log. */
inline load() {
    offset = committed; noted = logged; ids[0].pending = ids[0].written
}

inline restart_coordinator() {
    do
    :: nempty(ends) -> ends?_, _
    :: empty(ends) -> break
    od;
#if LOADS
    half = 0; dropped = NONE;
#endif
    load()
}

/* Markers are written in any order; the next transaction of the id begins when both are. */
active [IDS] proctype Coordinator() {
    byte id = _pid, whose;
    bit commits;
end:
    do
    :: atomic { (MINE.state == COMMITTING || MINE.state == ABORTING) && MINE.partition ->
        if
        :: MINE.state == COMMITTING -> make_visible(MINE.first); make_visible(MINE.second)
        :: else -> MINE.first = NONE; MINE.second = NONE
        fi;
        MINE.leader_epoch = MINE.epoch; MINE.partition = 0 }
    :: atomic { (MINE.state == COMMITTING || MINE.state == ABORTING) && MINE.offsets && nfull(ends) ->
        commits = (MINE.state == COMMITTING);
        if
        :: commits && MINE.written != NONE -> committed = MINE.written; logged = 1
        :: else
        fi;
        MINE.written = NONE; MINE.group_epoch = MINE.epoch; MINE.offsets = 0;
        if
        :: LATE -> ends!id, commits
        :: else -> apply(commits)
        fi;
        commits = 0 }
    :: atomic { (MINE.state == COMMITTING || MINE.state == ABORTING) && !MINE.partition && !MINE.offsets ->
        assert(MINE.state == ABORTING || committed == output);  /* I1, I4: as much as is done, no more and no less */
        MINE.state = EMPTY }
#if LOADS
    :: atomic { loads < LOADS && !half && logged ->     /* the partition went, and came back while it was still loaded */
        loads++; half = 1; offset = 0; noted = 0; ids[0].pending = NONE }
    :: atomic { half && ids[0].pending == NONE && offset < committed -> ids[0].pending = offset + 1 }
    :: atomic { half && ids[0].pending != NONE && offset < committed -> apply(1) }  /* it reads the end of that one */
    :: atomic { half ->
        half = 0;
        if
        :: dropped == committed || offset > committed -> ids[0].pending = ids[0].written
        :: else -> load()
        fi;
        dropped = NONE }
#endif
    :: atomic { ends?[eval(id), commits] -> ends?whose, commits; apply(commits); commits = 0; whose = 0 }
    od
}

/* What was not answered arrives late, or never. */
active proctype Network() {
    byte id = 0; bit ok;
end:
    do
    :: atomic { late_record != NONE -> take_record(late_record_epoch, late_record); late_record = NONE; ok = 0 }
    :: atomic { late_offset != NONE -> take_offset(late_offset_epoch, late_offset); late_offset = NONE; ok = 0 }
    :: atomic { late_add != NOTHING -> add_to_transaction(late_add_epoch, late_add); late_add = NOTHING; ok = 0 }
    :: atomic { late_end -> end_transaction(late_end_epoch, late_end_commits, late_end_owner); late_end = 0; ok = 0 }
    :: atomic { late_record != NONE -> late_record = NONE }
    :: atomic { late_offset != NONE -> late_offset = NONE }
    :: atomic { late_add != NOTHING -> late_add = NOTHING }
    :: atomic { late_end -> late_end = 0 }
    od
}

/* The worker's side. A lane that is thrown away, or whose process is killed, goes back to `start`. */

inline begin_at(the_offset) {
    position = the_offset;
    newest = owner;
    /* I4: nothing unread is before it. Who was fenced meanwhile may read anything, and nobody takes anything of him. */
    assert(position <= output || epoch != MINE.epoch || MINE.state != EMPTY)
}

#define CAN_BE_LOST (losses < LOSSES)

/* Where nobody is killed there are no zombies, either: the group gives the partition to one worker after the other. */
#if KILLS
#define IS_FREE 1
inline take() { skip }
inline give_back() { skip }
#else
byte holder;
#define IS_FREE (holder == 0 || holder == _pid + 1)
inline take() { holder = _pid + 1 }
inline give_back() { holder = 0 }
#endif

/* What a lane may not believe. Its producer has started, so that its output does not change any more. */
#define IS_LOST (IS_CLASSIC && AGAIN && own && noted && offset < known)
#define WENT_BACK ((KNOWN && offset < known) || (BESIDE && SEEN_BESIDE && offset < committed))
#define CONTRADICTED (READ_BACK && noted && ((offset < output && (PLACE || offset > 0)) || (offset > output && TAKEN_BACK)))
#define NONE_KNOWN (PATIENT && !IS_CLASSIC && !noted && output > 0)
#define IS_BELIEVED (!WENT_BACK && !CONTRADICTED && !NONE_KNOWN)
#define IS_FIRST (IS_CLASSIC && FIRST && !noted && known == 0)

active [WORKERS] proctype Lane() {
    byte id = (FENCE -> 0 : _pid - IDS - 1);
    byte epoch, position, owner;
    byte goal;              /* the offset that it commits next */
    byte known;             /* what this worker has seen committed */
    bit own;                /* and whether its lane has begun there, or committed it */
    bit ok, cleared, leaving;

start:
    atomic {
        (leaving || IS_FREE) ->
        epoch = 0; position = 0; owner = 0; cleared = 0; goal = 0;
        if
        :: leaving -> goto left
        :: !leaving && starts < STARTS -> starts++; take()
        :: !leaving && starts == STARTS -> goto gone
        fi;
        if
        :: true
        :: KILLS -> known = 0; own = 0
        fi;
        if
        :: !READ_AFTER_START -> position = offset
        :: else
        fi
    }
init_producer_id:
    atomic {
        (MINE.state == EMPTY || MINE.state == ONGOING) ->
        MINE.epoch++;
        if
        :: MINE.state == ONGOING -> MINE.state = ABORTING; goto init_producer_id
        :: else -> epoch = MINE.epoch; owners++; owner = owners
        fi
    }
read_offset:
    if
    :: atomic { !READ_AFTER_START -> begin_at(position) }
    :: atomic { READ_AFTER_START && !ON_ITS_WAY && IS_LOST -> begin_at(known) }
        goto again
    :: atomic { READ_AFTER_START && !ON_ITS_WAY && !IS_LOST && leaving }
        goto start
    :: atomic { READ_AFTER_START && !ON_ITS_WAY && !IS_LOST && !leaving && IS_FIRST -> begin_at(offset) }
        goto first
    :: atomic { READ_AFTER_START && !ON_ITS_WAY && !IS_LOST && !leaving && !IS_FIRST && IS_BELIEVED ->
            begin_at(offset); known = offset; own = noted }
    :: atomic { OPERATOR && READ_AFTER_START && !ON_ITS_WAY && !IS_LOST && !leaving && !IS_FIRST && !IS_BELIEVED ->
            restart_coordinator();
            assert(IS_BELIEVED || epoch != MINE.epoch) }
        goto read_offset
    :: atomic { READ_AFTER_START && ON_ITS_WAY && CLEAR && !cleared && !leaving -> cleared = 1 }
        goto clear
    :: atomic { (starts < STARTS && !leaving) || epoch != MINE.epoch || (leaving && ON_ITS_WAY && LATE) -> goto start }
    fi;
    goto work;

again:
    atomic { goal = known; goto add_offsets }

first:
    atomic { goal = position; goto add_offsets }

clear:
    atomic { (MINE.state == EMPTY || epoch != MINE.epoch) ->
        add_to_transaction(epoch, ADD_OFFSETS);
        if
        :: !ok -> goto start
        :: else -> ok = 0
        fi }
    if
    :: atomic { !CLEAR_BARE -> take_offset(epoch, offset); ok = 0 }
    :: CLEAR_BARE
    fi;
    atomic { end_transaction(epoch, 0, owner);
        if
        :: !ok -> goto start
        :: else -> ok = 0
        fi }
    goto read_offset;

work:
    if
    :: position == RECORDS -> goto leave
    :: position < RECORDS -> goto settle
    :: starts < STARTS -> goto leave
    :: atomic { starts < STARTS -> goto start }
    fi;

leave:
    if
    :: atomic { !(IS_CLASSIC && LEAVE && own) || epoch != MINE.epoch || (!ON_ITS_WAY && !IS_LOST) }
        goto left
    :: atomic { IS_CLASSIC && LEAVE && own && LATE && ON_ITS_WAY }  /* it does not wait for ever */
        goto left
    :: atomic { IS_CLASSIC && LEAVE && own && epoch == MINE.epoch && !ON_ITS_WAY && IS_LOST -> leaving = 1 }
        goto init_producer_id
    fi;

left:
    atomic { own = 0; leaving = 0; give_back(); goto start }

settle:
    if
    :: !SETTLE
    :: atomic { SETTLE && !ON_ITS_WAY && offset == position }
    :: atomic { SETTLE && (ON_ITS_WAY || offset != position) -> goto start }    /* it does not wait for ever */
    fi;

add_partition:
    atomic { (epoch != MINE.epoch || MINE.state == EMPTY || MINE.state == ONGOING) ->
        if
        :: add_to_transaction(epoch, ADD_PARTITION);
            if
            :: ok -> ok = 0
            :: else -> goto start
            fi
        :: CAN_BE_LOST -> losses++; late_add = ADD_PARTITION; late_add_epoch = epoch; goto unanswered
        fi }

produce:
    atomic {
        if
        :: take_record(epoch, position);
            if
            :: ok -> ok = 0
            :: else -> goto abort
            fi
        :: CAN_BE_LOST -> losses++; take_record(epoch, position); ok = 0; goto unanswered
        :: CAN_BE_LOST -> losses++; late_record = position; late_record_epoch = epoch; goto unanswered
        fi }
    if
    :: true
    :: goto abort
    :: atomic { starts < STARTS -> goto start }
    fi;
    goal = position + 1;

add_offsets:
    atomic { (epoch != MINE.epoch || MINE.state == EMPTY || MINE.state == ONGOING) ->
        if
        :: add_to_transaction(epoch, ADD_OFFSETS);
            if
            :: ok -> ok = 0
            :: else -> goto start
            fi
        :: CAN_BE_LOST -> losses++; late_add = ADD_OFFSETS; late_add_epoch = epoch; goto unanswered
        fi }

send_offset:
    atomic {
        if
        :: take_offset(epoch, goal);
            if
            :: ok -> ok = 0
            :: else -> goto abort
            fi
        :: CAN_BE_LOST -> losses++; take_offset(epoch, goal); ok = 0; goto unanswered
        :: CAN_BE_LOST -> losses++; late_offset = goal; late_offset_epoch = epoch; goto unanswered
        fi }
    if
    :: true
    :: goal > position -> goto abort
    :: atomic { starts < STARTS && !leaving -> goto start }
    fi;

commit:
    atomic {
        if
        :: end_transaction(epoch, 1, owner);
            if
            :: ok && leaving -> ok = 0; goto left
            :: ok && !leaving && goal > position -> ok = 0; position = goal; known = goal; own = 1; goto work
            :: ok && !leaving && goal == position -> ok = 0; goto read_offset
            :: else -> ok = 0; goto start
            fi
        :: CAN_BE_LOST -> losses++; end_transaction(epoch, 1, owner); ok = 0; goto unanswered
        :: CAN_BE_LOST -> losses++; late_end = 1; late_end_commits = 1; late_end_epoch = epoch; late_end_owner = owner;
            goto unanswered
        fi }

unanswered:
    if
    :: NO_ABORT -> goto start
    :: !NO_ABORT
    fi;
abort:
    atomic {
        if
        :: end_transaction(epoch, 0, owner); ok = 0
        :: CAN_BE_LOST -> losses++; late_end = 1; late_end_commits = 0; late_end_epoch = epoch; late_end_owner = owner
        fi }
    goto start;

gone:
    give_back()
}
