#include "os/log/syslog.h"

#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "os/log/text.h"

#define LINE_MAX_BYTES 4096

int log_syslog_format(struct text *text, const struct log_record *record, time_t now)
{
        /* Not strftime(): the names are English whatever the locale. */
        static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                             "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
        struct tm local = {0};

        localtime_r(&now, &local);
        int r = text_appendf(text, "<%d>%s %2d %02d:%02d:%02d preforkd[%d]: ", LOG_DAEMON | record->priority,
                             months[local.tm_mon], local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec,
                             (int)getpid());
        if (r == 0)
                r = log_text_append_prefix(text, record);
        if (r == 0)
                r = log_text_append_line(text, record->message);
        if (r == 0)
                log_text_cut(text, LINE_MAX_BYTES);
        return r;
}
