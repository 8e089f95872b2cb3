#include "ctl/record.h"

#include <syslog.h>
#include <time.h>

#include "os/log/text.h"

/* Those of journalctl: what is wrong stands out, what is for debugging stands back. "" for the level info. */
static const char *colour_of(int priority)
{
        if (priority <= LOG_ERR)
                return "\033[1;31m";
        if (priority == LOG_WARNING)
                return "\033[1;33m";
        if (priority == LOG_NOTICE)
                return "\033[1m";
        return priority == LOG_DEBUG ? "\033[90m" : "";
}

static int append_head(const struct ctl_record *record, struct text *text)
{
        const time_t seconds = (time_t)(record->at_us / 1000000);
        struct tm local = {0};
        char when[32];

        localtime_r(&seconds, &local);
        strftime(when, sizeof(when), "%b %d %H:%M:%S", &local);
        int r = text_appendf(text, "%s.%03u preforkd", when, (unsigned)(record->at_us / 1000 % 1000));
        if (r == 0 && record->pid[0] != '\0') {
                r = text_append(text, "[");
                if (r == 0)
                        r = log_text_append_line(text, record->pid);
                if (r == 0)
                        r = text_append(text, "]");
        }
        return r == 0 ? text_append(text, ": ") : r;
}

int ctl_record_print(const struct ctl_record *record, bool colours, struct text *text)
{
        const char *colour = colours ? colour_of(record->priority) : "";

        int r = append_head(record, text);
        if (r == 0)
                r = text_appendf(text, "%s%s", colour, log_text_level(record->priority));
        if (r == 0)
                r = log_text_append_line(text, record->message);
        return r == 0 ? text_appendf(text, "%s\n", colour[0] != '\0' ? "\033[0m" : "") : r;
}
