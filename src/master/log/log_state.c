#include "master/log/log_state.h"

#include "base/cleanup.h"

static const struct field fields[] = {
        DERIVED(struct log_process, setup, "given to the reader"),
        DERIVED(struct log_process, next, "made anew"),
        DERIVED(struct log_process, link, "made anew"),
        DERIVED(struct log_process, path, "in the configuration"),
        WRITTEN(struct log_process, read_fd, "read"),
        WRITTEN(struct log_process, write_fd, "write"),
        WRITTEN(struct log_process, orders_fd, "orders"),
        FIELD(struct log_process, pid, "pid"),
        DERIVED(struct log_process, watch, "of the process that ends"),
        DERIVED(struct log_process, restart_timer, "made anew"),
        DERIVED(struct log_process, answer_timer, "made anew"),
        DERIVED(struct log_process, backoff.failures, "begins anew"),
        DERIVED(struct log_process, backoff.not_before_ms, "begins anew"),
        DERIVED(struct log_process, backoff.shortest_ms, "begins anew"),
        DERIVED(struct log_process, backoff.succeeded, "begins anew"),
        DERIVED(struct log_process, backoff.excused, "begins anew"),
        DERIVED(struct log_process, started_ms, "of the process that ends"),
        DERIVED(struct log_process, is_used, "always"),
        FIELD(struct log_process, is_asked, "is_asked"),
        FIELD(struct log_process, ordered, "ordered"),
        DERIVED(struct log_process, is_replaced, "set by the reader"),
        DERIVED(struct log_process, is_closed, "one that is closed is not handed over"),
        DERIVED(struct log_process, has_settings, "set from the configuration"),
        DERIVED(struct log_process, settings, "set from the configuration"),
        FIELD(struct log_process, last.error, "error"),
        DERIVED(struct log_process, last.number, "of one answer"),
        DERIVED(struct log_process, last.writes, "of one answer"),
        DERIVED(struct log_process, last.dropped, "added up in \"dropped\""),
        DERIVED(struct log_process, last.why, "in the words of the error"),
        WRITTEN(struct log_process, dropped_by_earlier, "dropped"),
};

json_t *log_state_write(const struct log_process *process, struct state_file *file)
{
        json_t *object = state_file_fields(fields, ELEMENTS(fields), process);
        int r = state_file_set(object, "read", state_file_descriptor(file, process->read_fd));

        if (r == 0)
                r = state_file_set(object, "write", state_file_descriptor(file, process->write_fd));
        if (r == 0 && process->orders_fd >= 0)
                r = state_file_set(object, "orders", state_file_descriptor(file, process->orders_fd));
        if (r == 0)
                r = state_file_set(object, "dropped", json_integer((json_int_t)log_process_dropped(process)));
        return state_file_finish(object, r);
}

static int read_members(struct state_file *file, const json_t *value, struct log_process *known)
{
        json_int_t dropped = json_integer_value(json_object_get(value, "dropped"));

        int r = state_file_read_fields(file, fields, ELEMENTS(fields), value, known);
        if (r == 0)
                r = state_file_take_descriptor(file, value, "read", &known->read_fd);
        if (r == 0)
                r = state_file_take_descriptor(file, value, "write", &known->write_fd);
        if (r == 0 && json_object_get(value, "orders"))
                r = state_file_take_descriptor(file, value, "orders", &known->orders_fd);
        known->dropped_by_earlier = dropped > 0 ? (uint64_t)dropped : 0;
        return r;
}

int log_state_read(struct log_process_setup *setup, const char *path, struct state_file *file, const json_t *value,
                   struct log_process **ret)
{
        struct log_process known = {.read_fd = -1, .write_fd = -1, .orders_fd = -1};
        int r = value ? read_members(file, value, &known) : 0;

        return r < 0 ? r : log_process_adopt(setup, path, &known, ret);
}
