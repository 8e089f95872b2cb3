#include "ctl/logs.h"

#include <errno.h>
#include <glob.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ctl/output.h"
#include "ctl/record.h"
#include "ctl/style.h"
#include "os/clock.h"

#define FLUSH_BYTES 65536

struct logs {
        sd_journal *journal;
        bool colours;
        uint64_t shown;
        struct text text; /* not printed yet */
};

static void logs_clear(struct logs *logs)
{
        sd_journal_close(logs->journal);
        text_clear(&logs->text);
}

/* True if there are files of the system's journal that may not be read: what is found elsewhere is not all. */
static bool is_forbidden(void)
{
        bool forbidden = false;
        glob_t found;

        if (glob("/{var,run}/log/journal/*", GLOB_BRACE, NULL, &found) != 0)
                return false;
        for (size_t i = 0; i < found.gl_pathc && !forbidden; i++) {
                _cleanup_(freep) char *path = NULL;
                if (asprintf(&path, "%s/system.journal", found.gl_pathv[i]) >= 0)
                        forbidden = access(path, R_OK) < 0 && errno == EACCES;
        }
        globfree(&found);
        return forbidden;
}

static enum ctl_exit say_forbidden(void)
{
        fputs("preforkctl: you may not read the journal: root and the members of the group systemd-journal may\n",
              stderr);
        return CTL_EXIT_PERMISSION;
}

static enum ctl_exit say_failure(const char *what, int r)
{
        fprintf(stderr, "preforkctl: %s: %s\n", what, strerror(-r));
        return CTL_EXIT_FAILURE;
}

static int add_matches(sd_journal *journal, const struct ctl_logs_options *options)
{
        _cleanup_(text_clear) struct text match = {0};

        int r = sd_journal_add_match(journal, "SYSLOG_IDENTIFIER=preforkd", 0);
        if (r >= 0 && options->pool) {
                r = text_appendf(&match, "POOL=%s", options->pool);
                if (r == 0)
                        r = sd_journal_add_match(journal, match.bytes, match.length);
        }
        /* Matches of one field are alternatives. Where every level is wanted, a record without one is, too. */
        for (int priority = 0; r >= 0 && options->priority < LOG_DEBUG && priority <= options->priority; priority++) {
                text_truncate(&match);
                r = text_appendf(&match, "PRIORITY=%d", priority);
                if (r == 0)
                        r = sd_journal_add_match(journal, match.bytes, match.length);
        }
        return r;
}

/* A field of the present record, "" where it has none. 0 or -errno. */
static int read_field(sd_journal *journal, const char *name, struct text *ret)
{
        const void *data;
        size_t length, prefix = strlen(name) + 1;

        int r = sd_journal_get_data(journal, name, &data, &length);
        if (r == -ENOENT)
                return 0;
        return r < 0 ? r : text_append_bytes(ret, (const char *)data + prefix, length - prefix);
}

static enum ctl_exit flush(struct logs *logs)
{
        enum ctl_exit exit_code = ctl_output(text_string(&logs->text), NULL);

        text_truncate(&logs->text);
        return exit_code;
}

static int append_record(struct logs *logs)
{
        _cleanup_(text_clear) struct text message = {0}, pid = {0}, priority = {0};
        struct ctl_record record = {.priority = LOG_INFO};

        int r = sd_journal_get_realtime_usec(logs->journal, &record.at_us);
        if (r >= 0)
                r = read_field(logs->journal, "MESSAGE", &message);
        if (r >= 0)
                r = read_field(logs->journal, "_PID", &pid);
        if (r >= 0)
                r = read_field(logs->journal, "PRIORITY", &priority);
        if (r < 0)
                return r;
        if (priority.length == 1 && priority.bytes[0] >= '0' && priority.bytes[0] <= '7')
                record.priority = priority.bytes[0] - '0';
        record.pid = text_string(&pid);
        record.message = text_string(&message);
        logs->shown++;
        return ctl_record_print(&record, logs->colours, &logs->text);
}

/* Print what comes after the place where the journal is. */
static enum ctl_exit show_following(struct logs *logs)
{
        int r;

        while ((r = sd_journal_next(logs->journal)) > 0) {
                r = append_record(logs);
                if (r == -EBADMSG) /* damaged when the power failed, say: it hides no other one */
                        continue;
                if (r < 0)
                        break;
                if (logs->text.length >= FLUSH_BYTES && flush(logs) != CTL_EXIT_OK)
                        return CTL_EXIT_FAILURE;
        }
        if (flush(logs) != CTL_EXIT_OK)
                return CTL_EXIT_FAILURE;
        return r < 0 ? say_failure("cannot read the journal", r) : CTL_EXIT_OK;
}

/* Go to before the first record that is wanted, so that sd_journal_next() finds it. 0 or -errno. */
static int go_to_start(sd_journal *journal, const struct ctl_logs_options *options)
{
        uint64_t at_us;

        if (options->lines == CTL_LOGS_ALL)
                return options->since_us > 0 ? sd_journal_seek_realtime_usec(journal, options->since_us)
                                             : sd_journal_seek_head(journal);
        int r = sd_journal_seek_tail(journal);
        for (uint64_t i = 0; r >= 0 && i <= options->lines; i++) {
                r = sd_journal_previous(journal);
                if (r == 0)
                        return sd_journal_seek_head(journal);
                if (r > 0)
                        r = sd_journal_get_realtime_usec(journal, &at_us);
                if (r >= 0 && at_us < options->since_us)
                        break;
        }
        return r < 0 ? r : 0;
}

/* Wait for records. 1; 0: nobody reads our stdout any more; -errno. */
static int wait_for_more(sd_journal *journal)
{
        uint64_t until_us;
        int timeout_ms = -1;

        int r = sd_journal_get_fd(journal);
        struct pollfd fds[] = {{.fd = r, .events = (short)sd_journal_get_events(journal)}, {.fd = STDOUT_FILENO}};
        if (r >= 0)
                r = sd_journal_get_timeout(journal, &until_us);
        if (r < 0)
                return r;
        if (until_us != UINT64_MAX) { /* files on a network, which tell nobody of their changes */
                uint64_t until_ms = until_us / 1000 + 1, now_ms = clock_now_ms();
                timeout_ms = until_ms > now_ms ? (int)MIN_OF(until_ms - now_ms, UINT64_C(60000)) : 0;
        }
        if (poll(fds, ELEMENTS(fds), timeout_ms) < 0)
                return errno == EINTR ? 1 : -errno;
        if (fds[1].revents != 0)
                return 0;
        r = sd_journal_process(journal);
        return r < 0 ? r : 1;
}

static enum ctl_exit follow(struct logs *logs)
{
        int r;

        while ((r = wait_for_more(logs->journal)) > 0)
                if (show_following(logs) != CTL_EXIT_OK)
                        return CTL_EXIT_FAILURE;
        return r < 0 ? say_failure("cannot wait for the journal", r) : CTL_EXIT_OK;
}

static bool has_files(sd_journal *journal)
{
        return sd_journal_has_runtime_files(journal) > 0 || sd_journal_has_persistent_files(journal) > 0;
}

/* Why there are no files to read. */
static enum ctl_exit say_nothing_there(void)
{
        if (is_forbidden())
                return say_forbidden();
        if (sd_booted() <= 0)
                fputs("preforkctl: there is no journal: this system does not run systemd; preforkd logs to where "
                      "log_target says, see preforkd.conf(5)\n",
                      stderr);
        else
                fputs("preforkctl: there is no journal: journald keeps none, see journald.conf(5)\n", stderr);
        return CTL_EXIT_FAILURE;
}

enum ctl_exit ctl_logs_run(const struct ctl_logs_options *options)
{
        _cleanup_(logs_clear) struct logs logs = {.colours = ctl_style_of_stdout().colours};

        int r = sd_journal_open(&logs.journal, SD_JOURNAL_LOCAL_ONLY);
        if (r < 0 || !has_files(logs.journal))
                return say_nothing_there();
        if (options->follow) /* before anything is read, so that nothing comes in between unnoticed */
                r = sd_journal_get_fd(logs.journal);
        if (r >= 0)
                r = add_matches(logs.journal, options);
        if (r >= 0)
                r = go_to_start(logs.journal, options);
        if (r < 0)
                return say_failure("cannot read the journal", r);
        enum ctl_exit exit_code = show_following(&logs);
        if (exit_code != CTL_EXIT_OK)
                return exit_code;
        if (options->follow)
                return follow(&logs);
        if (logs.shown > 0)
                return CTL_EXIT_OK;
        if (is_forbidden())
                return say_forbidden();
        fputs("preforkctl: no such records\n", stderr);
        return CTL_EXIT_OK;
}
