/* What a status worker does that a client has got into its hands: each connection names a crime, and gets a line when
 * it is done. Loaded in the place of preforkd-status.so. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "logic/protocol/status_link.h"
#include "os/clock.h"
#include "os/net/passed_fd.h"
#include "os/process/status_object.h"

#define CRIME_MS 3000

static int link_fd = -1;

static void attach(int status_fd)
{
        link_fd = status_fd;
}

static int ask(uint32_t document)
{
        const struct status_link_request request = {.number = 1, .document = document};

        return passed_fd_send(link_fd, &request, sizeof(request), -1);
}

/* Ask without end; `reads`: and take the answers, and keep the files. The number of answers, or of documents among
 * them. */
static unsigned flood(bool reads, bool counts_documents, uint32_t document)
{
        uint64_t end_ms = clock_now_ms() + CRIME_MS;
        struct status_link_answer answer;
        unsigned answers = 0, documents = 0;
        ino_t last = 0;

        while (clock_now_ms() < end_ms) {
                struct stat status = {0};
                int passed = -1;
                ask(document);
                while (reads && passed_fd_receive(link_fd, &answer, sizeof(answer), &passed) == 0) {
                        answers++;
                        documents += fstat(passed, &status) == 0 && status.st_ino != last;
                        last = status.st_ino;
                }
        }
        return counts_documents ? documents : answers;
}

static unsigned commit(const char *crime)
{
        static const char nonsense[100] = "nonsense";
        int passed = -1;

        if (strcmp(crime, "flood") == 0)
                return flood(false, false, STATUS_LINK_STATUS);
        if (strcmp(crime, "hoard") == 0)
                return flood(true, false, STATUS_LINK_WORKERS);
        if (strcmp(crime, "count") == 0)
                return flood(true, true, STATUS_LINK_STATUS);
        if (strcmp(crime, "nonsense") == 0)
                send(link_fd, nonsense, sizeof(nonsense), MSG_NOSIGNAL);
        if (strcmp(crime, "number") == 0)
                ask(UINT32_MAX);
        if (strcmp(crime, "nothing") == 0)
                send(link_fd, "", 0, MSG_NOSIGNAL);
        if (strcmp(crime, "files") == 0)
                for (int i = 0; i < 200; i++) {
                        const struct status_link_request request = {.number = 1};
                        passed_fd_send(link_fd, &request, sizeof(request), STDIN_FILENO);
                }
        if (strcmp(crime, "gone") == 0) {
                usleep(300000);
                struct status_link_answer answer;
                int r = passed_fd_receive(link_fd, &answer, sizeof(answer), &passed);
                return r == -EPIPE;
        }
        return 0;
}

/* Die, and leave a process that has all that this one has, until the client leaves. */
static void leave_heir(int connection)
{
        char byte;

        if (fork() > 0)
                _exit(1);
        while (recv(connection, &byte, 1, 0) > 0)
                ;
        _exit(0);
}

static int serve(void *state, const struct prefork_request *request)
{
        char crime[64] = "";
        ssize_t length = recv(request->connection, crime, sizeof(crime) - 1, 0);

        (void)state;
        if (length <= 0)
                return 0;
        crime[strcspn(crime, "\n")] = '\0';
        if (strcmp(crime, "heir") == 0)
                leave_heir(request->connection);
        return dprintf(request->connection, "%u\n", commit(crime)) < 0 ? -errno : 0;
}

extern const struct status_object STATUS_OBJECT_SYMBOL;
PREFORK_MODULE_EXPORT const struct status_object STATUS_OBJECT_SYMBOL = {
        .version = PREFORKD_VERSION,
        .module = {PREFORK_MODULE_HEADER, .name = "hostile", .serve = serve},
        .attach = attach,
};
