#include "base/message_id.h"

#include <assert.h>
#include <stddef.h>

#include "base/cleanup.h"

static const char *const texts[] = {
        [MESSAGE_ID_NONE] = NULL,
        [MESSAGE_ID_STARTED] = "14ff47b269564fb9bdc256eb9a542e5e",
        [MESSAGE_ID_START_REFUSED] = "eb8aa335a10f43feba29d0346a714691",
        [MESSAGE_ID_STOPPING] = "33a93582c3094d3c81cfc4b7ba19ce62",
        [MESSAGE_ID_STOP_TIMED_OUT] = "f42ab44754e14c04aa080db736da5cb6",
        [MESSAGE_ID_STOPPED] = "f8d2bcb8140e45e690c5f318a1a02a87",
        [MESSAGE_ID_RELOADED] = "344f03acfd1f4a81b250998f22c54a8d",
        [MESSAGE_ID_RELOAD_REFUSED] = "d6208ce195b643c89bb9916703276fb7",
        [MESSAGE_ID_UPGRADED] = "63ab12fedf28485e9ae9d60c13cccd66",
        [MESSAGE_ID_UPGRADE_REFUSED] = "93d5ac33a5b7463ca73bf9a024407b09",
        [MESSAGE_ID_SATURATED] = "a866dfc4cd854408a44a915e465bdcd1",
        [MESSAGE_ID_RELIEVED] = "9f11fd6c79724c2a897b4a139f0baf8a",
        [MESSAGE_ID_BACKING_OFF] = "8faa73d56dee485ea7b2eacd2350eeb6",
        [MESSAGE_ID_WORKER_DIED] = "0d3862eff2a148649b3234dd1b763bd7",
        [MESSAGE_ID_WORKER_STUCK] = "ba60f35c9e594d93805d73917bdd6db5",
        [MESSAGE_ID_REQUEST_SLOW] = "9d2dbd59754e447cb19c16f1f78b5fcf",
        [MESSAGE_ID_REQUEST_TIMED_OUT] = "3a300a0bb6b44319a66a3b9652478c5e",
        [MESSAGE_ID_REQUEST_KILLED] = "cd4881cdf2264f6b81b46f1227ba8619",
        [MESSAGE_ID_CONNECTIONS_AT_RISK] = "2ef629afc6b04b948fb2480aad83ce58",
        [MESSAGE_ID_SCOREBOARD_IMPLAUSIBLE] = "1ab03e8356934691b02edae3e11932f7",
        [MESSAGE_ID_LISTENER_DAMAGED] = "be83d40a2a3b436d8758fc9da5736e67",
        [MESSAGE_ID_ADDRESS_UNAVAILABLE] = "ea3a2b00603347a4addcb579717bbf29",
        [MESSAGE_ID_CONNECTION] = "c897451d5723457283b55f8821f6deef",
};
static_assert(ELEMENTS(texts) == MESSAGE_ID_COUNT, "every kind has an id");

const char *message_id_text(enum message_id id)
{
        return texts[id];
}
