#include "master/pool/board_state.h"

#include <errno.h>

#include "base/cleanup.h"

/* The table of counters also gives the names in the document. */
#define COUNTER_FIELD(member, ...) FIELD(struct counters, member, #member),
static const struct field counter_fields[] = {COUNTERS(COUNTER_FIELD)};
#undef COUNTER_FIELD

static const struct field tally_fields[] = {
        WRITTEN(struct tally, said, "said"),
        WRITTEN(struct tally, counted, "counted"),
        FIELD(struct tally, since_ms, "since_ms"),
        FIELD(struct tally, looked_ms, "looked_ms"),
        DERIVED(struct tally, whole, "looked at anew"),
        DERIVED(struct tally, last, "of said"),
};

static const struct field words_fields[] = {
        WRITTEN(struct tally_words, counters, "counters"),
        FIELD(struct tally_words, begun, "begun"),
        FIELD_ARRAY(struct tally_words, durations, "durations"),
        FIELD_ARRAY(struct tally_words, waits, "waits"),
};

static const struct field board_fields[] = {
        DERIVED(struct board, memory, "mapped from fd"),
        WRITTEN(struct board, fd, "fd"),
        FIELD(struct board, slot_limit, "slot_limit"),
        DERIVED(struct board, workers, "counted when the workers are read"),
        WRITTEN(struct board, tally, "tally"),
        FIELD(struct board, lie_told, "lie_told"),
        FIELD(struct board, connections_at, "connections_at"),
        DERIVED(struct board, connections_held_ms, "begins anew"),
};

json_t *counters_state_write(const struct counters *counters)
{
        json_t *object = json_object();
        int r = object ? 0 : -ENOMEM;

        for (int id = 0; id < COUNTER_COUNT && r == 0; id++)
                if (*counter_of_const(counters, (enum counter_id)id) != 0)
                        r = struct_json_write(&counter_fields[id], 1, counters, object);
        return state_file_finish(object, r);
}

int counters_state_read(struct state_file *file, const json_t *object, struct counters *counters)
{
        return state_file_read_fields(file, counter_fields, ELEMENTS(counter_fields), object, counters);
}

static json_t *write_words(const struct tally_words *words)
{
        json_t *object = state_file_fields(words_fields, ELEMENTS(words_fields), words);

        return state_file_finish(object, state_file_set(object, "counters", counters_state_write(&words->counters)));
}

static int read_words(struct state_file *file, const json_t *object, struct tally_words *words)
{
        int r = state_file_read_fields(file, words_fields, ELEMENTS(words_fields), object, words);

        return r < 0 ? r : counters_state_read(file, state_file_object(object, "counters"), &words->counters);
}

/* What is counted is mostly what was said, and then left out. */
json_t *tally_state_write(const struct tally *tally)
{
        json_t *object = state_file_fields(tally_fields, ELEMENTS(tally_fields), tally);
        int r = state_file_set(object, "said", write_words(&tally->said));

        if (r == 0 && memcmp(&tally->said, &tally->counted, sizeof(tally->said)) != 0)
                r = state_file_set(object, "counted", write_words(&tally->counted));
        return state_file_finish(object, r);
}

int tally_state_read(struct state_file *file, const json_t *object, struct tally *tally)
{
        const json_t *counted = state_file_object(object, "counted");
        int r = state_file_read_fields(file, tally_fields, ELEMENTS(tally_fields), object, tally);

        if (r == 0)
                r = read_words(file, state_file_object(object, "said"), &tally->said);
        if (r == 0 && counted)
                r = read_words(file, counted, &tally->counted);
        else if (r == 0)
                tally->counted = tally->said;
        return r;
}

static json_t *write_board(const struct board *board, bool is_present, struct state_file *file)
{
        json_t *object = state_file_fields(board_fields, ELEMENTS(board_fields), board);
        int r = state_file_set(object, "tally", tally_state_write(&board->tally));

        if (r == 0 && !is_present)
                r = state_file_set(object, "fd", state_file_descriptor(file, board->fd));
        if (r == 0 && !is_present) /* workers can write anything into the header */
                r = state_file_set(object, "layout", json_integer(PREFORK_SCOREBOARD_VERSION));
        return state_file_finish(object, r);
}

json_t *board_state_write(const struct boards *boards, struct state_file *file)
{
        json_t *array = json_array();
        int r = 0;

        for (unsigned i = 0; i < boards->count && r == 0; i++)
                r = state_file_append(array, write_board(boards->items[i], i == 0, file));
        return state_file_finish(array, r);
}

/* Map an older board. */
static int adopt(struct state_file *file, const json_t *object, struct boards *boards)
{
        int fd;

        if (json_integer_value(json_object_get(object, "layout")) != PREFORK_SCOREBOARD_VERSION)
                return state_file_fail(file, "a former scoreboard has another version");
        int r = state_file_take_descriptor(file, object, "fd", &fd);
        if (r == 0)
                r = boards_adopt(boards, fd);
        return r == -EPROTO || r == -EBUSY ? state_file_fail(file, "a former scoreboard cannot be used") : r;
}

int board_state_read(struct state_file *file, const json_t *array, struct boards *boards)
{
        int r = 0;

        for (size_t i = 0; i < json_array_size(array) && r == 0; i++) {
                const json_t *object = json_array_get(array, i);
                r = i > 0 ? adopt(file, object, boards) : 0;
                if (r < 0)
                        break;
                struct board *board = boards->items[i];
                r = state_file_read_fields(file, board_fields, ELEMENTS(board_fields), object, board);
                if (r == 0)
                        r = tally_state_read(file, state_file_object(object, "tally"), &board->tally);
        }
        return r;
}

unsigned board_state_number(const struct boards *boards, const struct board *board)
{
        unsigned number = 0;

        while (boards->items[number] != board)
                number++;
        return number;
}

struct board *board_state_find(const struct boards *boards, const json_t *number)
{
        json_int_t at = json_integer_value(number); /* 0 without a member: the present one */

        return at >= 0 && at < (json_int_t)boards->count ? boards->items[at] : NULL;
}
