/* Stands in for libnvidia-ml.so.1 in tests: four GPUs of one server, as the real binding asks for them.
 *
 * GPU 0 and 1 are H100 joined by four NVLink lanes, of which one of GPU 0 may be down. GPU 2 is an A100 cut
 * into two MIG instances, GPU 3 an old GPU that supports little; both have two lanes to a switch.
 * NVML_STAND_IN says what goes wrong, as words: count=N, init=CODE, lost=I (its handle is refused),
 * falls=I (it is lost half-way), hang=I (its power is never told), hangs=I (nothing of it is), lane (one is
 * down), ecc=I, narrow=I (its link is half as wide), busy (at full clocks), cuda=VERSION, refused=I.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int R;
typedef struct { int number; } *Device;
typedef unsigned U;
typedef unsigned long long L;
enum { OK = 0, INVALID = 2, NOT_SUPPORTED = 3, NO_PERMISSION = 4, NOT_FOUND = 6, TOO_SMALL = 7, LOST = 15 };

static struct { int number; } gpus[4] = {{0}, {1}, {2}, {3}}, instances[2] = {{20}, {21}};
static const char *buses[4] = {"00000000:03:00.0", "00000000:05:00.0", "00000000:81:00.0", "00000000:A1:00.0"};

/* The value of a word such as lost=3, 1 for a word alone, or what is usual. */
static int word(const char *name, int usual) {
  const char *said = getenv("NVML_STAND_IN");
  size_t length = strlen(name);
  while (said && *said) {
    if (!strncmp(said, name, length) && (said[length] == '=' || said[length] == ' ' || !said[length]))
      return said[length] == '=' ? atoi(said + length + 1) : 1;
    said = strchr(said, ' ');
    said = said ? said + 1 : 0;
  }
  return usual;
}
static int is(const char *name, Device d) { return word(name, -1) == d->number; }
static int old(Device d) { return d->number == 3; }
static R text(char *to, U n, const char *from) { strncpy(to, from, n); return OK; }
static R number(U *to, U value, R r) { *to = value; return r; }

R nvmlInitWithFlags(U flags) { return word("init", OK); }
R nvmlInit_v2(void) { return word("init", OK); }
R nvmlShutdown(void) { return OK; }
const char *nvmlErrorString(R r) { return "stand-in"; }
R nvmlSystemGetDriverVersion(char *to, U n) { return text(to, n, "570.86.15"); }
R nvmlSystemGetCudaDriverVersion(int *v) { *v = word("cuda", 12080); return OK; }
R nvmlSystemGetProcessName(U pid, char *to, U n) { return text(to, n, "/usr/bin/python3"); }
R nvmlDeviceGetCount_v2(U *n) { return number(n, word("count", 4), OK); }
R nvmlDeviceGetHandleByIndex_v2(U i, Device *d) {
  *d = (Device)&gpus[i];
  while (is("hangs", *d)) sleep(60);
  return is("lost", *d) ? LOST : OK; }

R nvmlDeviceGetName(Device d, char *to, U n) {
  static const char *names[4] = {"NVIDIA H100 80GB HBM3", "NVIDIA H100 80GB HBM3", "NVIDIA A100-SXM4-80GB", "Tesla M4"};
  return text(to, n, d->number >= 20 ? "NVIDIA A100 MIG 3g.40gb" : names[d->number]); }
R nvmlDeviceGetUUID(Device d, char *to, U n) {
  char made[32]; sprintf(made, d->number >= 20 ? "MIG-%d" : "GPU-%d", d->number); return text(to, n, made); }
typedef struct { char legacy[16]; U domain, bus, device, id, subsystem; char bus_id[32]; } Pci;
R nvmlDeviceGetPciInfo_v3(Device d, Pci *pci) { memset(pci, 0, sizeof *pci); return text(pci->bus_id, 32, buses[d->number]); }
typedef struct { L total, free, used; } Memory;
R nvmlDeviceGetMemoryInfo(Device d, Memory *m) {
  if (is("falls", d)) return LOST;
  m->total = (d->number >= 20 ? 40ULL : old(d) ? 4ULL : 80ULL) << 30; m->used = m->total / 4; m->free = m->total - m->used;
  return OK; }
R nvmlDeviceGetCudaComputeCapability(Device d, int *major, int *minor) {
  *major = d->number < 2 ? 9 : old(d) ? 5 : 8; *minor = old(d) ? 2 : 0; return OK; }
R nvmlDeviceGetNumGpuCores(Device d, U *n) { return number(n, 16896, old(d) ? NOT_SUPPORTED : OK); }
typedef struct { U gpu, memory; } Rates;
R nvmlDeviceGetUtilizationRates(Device d, Rates *r) { r->gpu = word("busy", 0) ? 97 : 0; r->memory = 5; return OK; }
R nvmlDeviceGetPowerUsage(Device d, U *mw) {
  while (is("hang", d)) sleep(60);
  return number(mw, 121500, old(d) ? NOT_SUPPORTED : OK); }
R nvmlDeviceGetPowerManagementLimit(Device d, U *mw) { return number(mw, 700000, old(d) ? NOT_SUPPORTED : OK); }
R nvmlDeviceGetPowerManagementLimitConstraints(Device d, U *least, U *most) {
  *least = 200000; return number(most, 700000, is("refused", d) ? NO_PERMISSION : old(d) ? NOT_SUPPORTED : OK); }
R nvmlDeviceGetTemperature(Device d, U sensor, U *c) { return number(c, 31 + d->number, OK); }
R nvmlDeviceGetClockInfo(Device d, U kind, U *mhz) { return number(mhz, word("busy", 0) ? 1980 : 345, OK); }
R nvmlDeviceGetMaxClockInfo(Device d, U kind, U *mhz) { return number(mhz, 1980, OK); }
R nvmlDeviceGetPerformanceState(Device d, U *state) { return number(state, word("busy", 0) ? 0 : 8, OK); }
R nvmlDeviceGetCurrentClocksThrottleReasons(Device d, L *bits) { *bits = 0; return OK; }
R nvmlDeviceGetPersistenceMode(Device d, U *on) { return number(on, 1, OK); }
R nvmlDeviceGetEccMode(Device d, U *now, U *next) { *next = 1; return number(now, 1, old(d) ? NOT_SUPPORTED : OK); }
R nvmlDeviceGetTotalEccErrors(Device d, U kind, U counter, L *n) {
  *n = is("ecc", d) ? 3 : 0; return old(d) ? NOT_SUPPORTED : OK; }
R nvmlDeviceGetMigMode(Device d, U *now, U *next) {
  *next = d->number == 2; return number(now, d->number == 2, old(d) ? NOT_SUPPORTED : OK); }
R nvmlDeviceGetMaxMigDeviceCount(Device d, U *n) { return number(n, old(d) ? 0 : 7, OK); }
R nvmlDeviceGetMigDeviceHandleByIndex(Device d, U i, Device *found) {
  if (d->number != 2 || i > 1) return NOT_FOUND;
  *found = (Device)&instances[i]; return OK; }
R nvmlDeviceGetGpuInstanceId(Device d, U *id) { return number(id, d->number - 19, OK); }
R nvmlDeviceGetComputeInstanceId(Device d, U *id) { return number(id, 0, OK); }
R nvmlDeviceGetCurrPcieLinkGeneration(Device d, U *n) { return number(n, word("busy", 0) ? 5 : 1, OK); }
R nvmlDeviceGetMaxPcieLinkGeneration(Device d, U *n) { return number(n, 5, OK); }
R nvmlDeviceGetCurrPcieLinkWidth(Device d, U *n) { return number(n, is("narrow", d) ? 8 : 16, OK); }
R nvmlDeviceGetMaxPcieLinkWidth(Device d, U *n) { return number(n, 16, OK); }

/* Both H100 below one switch, the others below two host bridges of the second socket. */
R nvmlDeviceGetMemoryAffinity(Device d, U size, unsigned long *mask, U scope) {
  memset(mask, 0, size * sizeof *mask); mask[0] = d->number < 2 ? 1 : 2; return OK; }
R nvmlDeviceGetTopologyCommonAncestor(Device a, Device b, U *level) {
  int one = a->number, other = b->number;
  return number(level, one / 2 != other / 2 ? 50 : one < 2 ? 10 : 40, OK); }

static int lanes(Device d) { return d->number < 2 ? 4 : 2; }
R nvmlDeviceGetNvLinkState(Device d, U link, U *on) {
  if ((int)link >= lanes(d)) return INVALID;
  return number(on, !(word("lane", 0) && d->number == 0 && link == 2), OK); }
R nvmlDeviceGetNvLinkVersion(Device d, U link, U *version) { return number(version, 4, OK); }
R nvmlDeviceGetNvLinkRemoteDeviceType(Device d, U link, U *kind) { return number(kind, d->number < 2 ? 0 : 2, OK); }
R nvmlDeviceGetNvLinkRemotePciInfo_v2(Device d, U link, Pci *pci) {
  memset(pci, 0, sizeof *pci);
  return text(pci->bus_id, 32, d->number < 2 ? buses[1 - d->number] : "00000000:C0:00.0"); }

typedef struct { U pid; L memory; U gpu_instance, compute_instance; } Process;
R nvmlDeviceGetComputeRunningProcesses_v3(Device d, U *n, Process *to) {
  if (d->number) { *n = 0; return OK; }
  if (!to) { *n = 1; return TOO_SMALL; }
  *n = 1; to->pid = 4242; to->memory = 20ULL << 30; return OK; }
