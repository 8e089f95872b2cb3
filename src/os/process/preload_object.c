#include "os/process/preload_object.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "os/process/file_rights.h"

#define HEAD_SIZE 256
#define DEPTH_MAX 4
#define NOTES_SIZE 4096
#define GO_NAME "Go\0" /* and a NUL: four bytes */
#if defined(__x86_64__)
#define OWN_LOADER "ld-linux-x86-64.so.2"
#define OTHER_MACHINE NULL
#else
#define OWN_LOADER "ld-linux-aarch64.so.1"
#define OTHER_MACHINE "it is for x86-64 alone"
#endif

const char *preload_object_path(void)
{
        const char *path = getenv(PRELOAD_OBJECT_VARIABLE);

        return path && path[0] == '/' ? path : PRELOAD_OBJECT;
}

__attribute__((format(printf, 3, 4))) static int explain(struct text *why, int result, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        int r = text_appendv(why, format, arguments);
        va_end(arguments);
        return r < 0 ? r : result;
}

/* Open the file for reading; -errno. */
static int open_readable(const struct executable_place *place, const char *path)
{
        char link[64];
        _cleanup_(fd_closep) int fd = executable_open(place, path);

        if (fd < 0)
                return fd;
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        int readable = open(link, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        return readable < 0 ? -errno : readable;
}

/* What the program header says about the loader. */
static int check_loader(int fd, const ElfW(Ehdr) * header, struct text *why)
{
        char loader[PATH_MAX] = "";

        for (unsigned i = 0; i < header->e_phnum && header->e_phentsize == sizeof(ElfW(Phdr)); i++) {
                ElfW(Phdr) segment;
                if (pread(fd, &segment, sizeof(segment), (off_t)(header->e_phoff + i * sizeof(segment))) !=
                    (ssize_t)sizeof(segment))
                        return 0;
                if (segment.p_type != PT_INTERP || segment.p_filesz >= sizeof(loader))
                        continue;
                if (pread(fd, loader, segment.p_filesz, (off_t)segment.p_offset) != (ssize_t)segment.p_filesz)
                        return 0;
        }
        const char *name = strrchr(loader, '/');
        if (loader[0] == '\0')
                return explain(why, -ENOEXEC, "it is statically linked");
        if (!name || !text_equal(name + 1, OWN_LOADER))
                return explain(why, -ENOEXEC, "its loader is \"%s\"; only programs of glibc load it", loader);
        return 0;
}

static int check_elf(int fd, struct text *why)
{
        ElfW(Ehdr) header = {0}, own = {0};
        _cleanup_(fd_closep) int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

        if (pread(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header))
                return 0;
        if (self >= 0 && pread(self, &own, sizeof(own), 0) == (ssize_t)sizeof(own) &&
            (own.e_machine != header.e_machine || own.e_ident[EI_CLASS] != header.e_ident[EI_CLASS]))
                return explain(why, -ENOEXEC, "it is for another machine than preforkd");
        return check_loader(fd, &header, why);
}

/* What makes the loader leave LD_PRELOAD alone (AT_SECURE). */
static int check_privileges(const struct file_user *user, int fd, struct text *why)
{
        const char *rights = file_rights_of(fd, user);

        return rights ? explain(why, -ENOEXEC, "%s, and loads nothing with no_new_privileges = no", rights) : 0;
}

static int check_program(const struct executable_place *place, const char *path, unsigned depth,
                         bool may_gain_privileges, struct text *why)
{
        char head[HEAD_SIZE + 1] = "";
        struct stat status = {0};
        _cleanup_(fd_closep) int fd = open_readable(place, path);

        if (fd < 0 || depth > DEPTH_MAX)
                return 0;
        if (pread(fd, head, HEAD_SIZE, 0) >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0) {
                int r = may_gain_privileges ? check_privileges(&place->user, fd, why) : 0;
                return r < 0 ? r : check_elf(fd, why);
        }
        if (!text_starts_with(head, "#!") || fstat(fd, &status) < 0)
                return 0;
        head[strcspn(head, "\r\n")] = '\0';
        char *interpreter = head + 2 + strspn(head + 2, " \t");
        interpreter[strcspn(interpreter, " \t")] = '\0';
        _cleanup_(text_clear) struct text reason = {0};
        int r = interpreter[0] == '/' ? check_program(place, interpreter, depth + 1, may_gain_privileges, &reason) : 0;
        return r == 0 || r == -ENOMEM
                       ? r
                       : explain(why, r, "its interpreter \"%s\": %s", interpreter, text_string(&reason));
}

static int check_object(const struct executable_place *place, struct text *why)
{
        _cleanup_(fd_closep) int fd = executable_open(place, preload_object_path());

        if (fd < 0)
                return explain(why, fd, "\"%s%s\": %s", place->root ? place->root : "", preload_object_path(),
                               strerror(-fd));
        return executable_may_read(place, fd) ? 0
                                              : explain(why, -EACCES, "\"%s%s\" may not be read",
                                                        place->root ? place->root : "", preload_object_path());
}

int preload_object_check(const struct executable_place *place, const char *path, bool may_gain_privileges,
                         struct text *why)
{
        int r = check_object(place, why);

        return r < 0 ? r : check_program(place, path, 0, may_gain_privileges, why);
}

/* A note has a name and a text, both filled up to a multiple of 4. */
static bool has_go_note(int fd, const ElfW(Phdr) * segment)
{
        char notes[NOTES_SIZE];
        ElfW(Nhdr) note;
        size_t at = 0;

        ssize_t size = pread(fd, notes, MIN_OF(sizeof(notes), (size_t)segment->p_filesz), (off_t)segment->p_offset);
        while (size > 0 && at + sizeof(note) + sizeof(GO_NAME) <= (size_t)size) {
                memcpy(&note, notes + at, sizeof(note));
                at += sizeof(note);
                if (note.n_namesz == sizeof(GO_NAME) && memcmp(notes + at, GO_NAME, sizeof(GO_NAME)) == 0)
                        return true;
                at += ((size_t)note.n_namesz + 3) / 4 * 4 + ((size_t)note.n_descsz + 3) / 4 * 4;
        }
        return false;
}

bool preload_object_is_go(const struct executable_place *place, const char *path)
{
        ElfW(Ehdr) header = {0};
        _cleanup_(fd_closep) int fd = open_readable(place, path);

        if (fd < 0 || pread(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
            memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_phentsize != sizeof(ElfW(Phdr)))
                return false;
        for (unsigned i = 0; i < header.e_phnum; i++) {
                ElfW(Phdr) segment;
                if (pread(fd, &segment, sizeof(segment), (off_t)(header.e_phoff + i * sizeof(segment))) !=
                    (ssize_t)sizeof(segment))
                        return false;
                if (segment.p_type == PT_NOTE && has_go_note(fd, &segment))
                        return true;
        }
        return false;
}

/* To switch off what is off succeeds, where it exists. */
const char *preload_object_no_dispatch(void)
{
        if (OTHER_MACHINE)
                return OTHER_MACHINE;
        return prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0) == 0
                       ? NULL
                       : "it needs Syscall User Dispatch (Linux 5.11), which the kernel does not have, or refuses";
}

const char *preload_object_no_rollback(void)
{
        return OTHER_MACHINE;
}
