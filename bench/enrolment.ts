import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { importCsv, send } from './harness/api-calls.ts';
import type { DeviceProbe, DeviceProbeResult } from './harness/device-probe.ts';
import type { EnrolLoad, EnrolLoadResult } from './harness/enrol-load.ts';
import { describeMachine } from './harness/machine.ts';
import { NodeLoad } from './harness/node-load.ts';
import { amount, IS_SHORT } from './harness/phase.ts';
import { ms, quantile, whole, type ClaimResult } from './harness/report.ts';
import { type SelsynServer, startSelsyn } from './harness/servers.ts';

const DEVICES = amount(1_000_000);
const ENROLLED = amount(100_000);
/** Each with a handshake of its own: what a factory line does, unit after unit. */
const ENROLLED_ALONE = amount(5_000);
const STATIONS = 32;
const PROBE = { prefix: 'probe-', devices: 500, rate: 1_000, token: 't'.repeat(43) };
const TEMPLATE = {
  parameters: { SerialNumber: {} },
  device: { id: 'unit-${parameters.SerialNumber}', group: '/factory', tags: ['new'], attributes: { line: 7 } },
  configuration: { interval: 60 },
};

/**
 * A million devices in the registry; then devices enrol by claim over mutual TLS (CSR, then the template, with a manifest), while others
 * that are connected go on publishing: signing must not stall them.
 */
export async function enrolment(): Promise<ClaimResult> {
  const selsyn = await startSelsyn({ settings: ['access.mode=token'] });
  await using server = selsyn.process;
  const imported = await importDevices(selsyn);
  const quiet = await probe(selsyn, async () => await new Promise((resolve) => setTimeout(resolve, IS_SHORT ? 2_000 : 15_000)));
  const before = sizeOf(server.folder);
  const stations = await enrol(selsyn, { name: 'stations', devices: ENROLLED, perConnection: 1_000 });
  const grown = sizeOf(server.folder) - before;
  const units = await enrol(selsyn, { name: 'units', devices: ENROLLED_ALONE, perConnection: 1 });
  const p99 = (result: DeviceProbeResult): number => quantile(result.latenciesMs, 0.99);
  return {
    claim: 'enrolment',
    workload: `${whole(DEVICES)} devices imported; ${whole(ENROLLED)} enrolled by ${STATIONS} claim connections, ${whole(ENROLLED_ALONE)} with a connection each; meanwhile ${PROBE.devices} devices publish ${whole(PROBE.rate)} messages a second at QoS 1`,
    machine: describeMachine(),
    rows: [
      { what: 'devices imported a second (CSV, CLI, over HTTP)', selsyn: whole(DEVICES / imported.seconds) },
      { what: 'registry after the import', selsyn: `${(imported.bytes / 1e6).toFixed(0)} MB` },
      { what: 'enrolled a second', selsyn: whole(stations.load.enrolled / stations.load.seconds) },
      { what: 'refused', selsyn: whole(stations.load.refused), target: '0', holds: stations.load.refused === 0 },
      { what: 'CPU of the server a device', selsyn: `${((stations.cpuSeconds / ENROLLED) * 1_000).toFixed(2)} ms` },
      { what: 'both requests of a device, p50', selsyn: ms(quantile(stations.load.latenciesMs, 0.5)) },
      { what: 'both requests of a device, p99', selsyn: ms(quantile(stations.load.latenciesMs, 0.99)) },
      { what: 'registry for each device enrolled', selsyn: `${(grown / ENROLLED / 1_000).toFixed(1)} KB` },
      { what: 'p99 PUBACK of connected devices, before', selsyn: ms(p99(quiet.probe)) },
      {
        what: 'p99 PUBACK of connected devices, meanwhile',
        selsyn: ms(p99(stations.probe)),
        target: '< 50 ms',
        holds: p99(stations.probe) < 50,
      },
      { what: 'enrolled a second, a handshake each', selsyn: whole(units.load.enrolled / units.load.seconds) },
      {
        what: 'p99 PUBACK of connected devices, meanwhile, a handshake each',
        selsyn: ms(p99(units.probe)),
        target: '< 50 ms',
        holds: p99(units.probe) < 50,
      },
    ],
    measured: { imported, quiet: summary(quiet.probe), stations: { ...told(stations), grown }, units: told(units) },
  };
}

async function importDevices(selsyn: SelsynServer): Promise<{ readonly seconds: number; readonly bytes: number }> {
  const lines = function* (): Generator<string> {
    yield 'id,group,tags,attributes.serial,token\n';
    for (let n = 0; n < PROBE.devices; n++) yield `${PROBE.prefix}${n},/probes,,P${n},${PROBE.token}\n`;
    for (let n = PROBE.devices; n < DEVICES; n++) yield `fleet-${n},/site-${n % 1_000},demo,S${n},\n`;
  };
  const seconds = await importCsv(selsyn, lines());
  return { seconds, bytes: sizeOf(selsyn.process.folder) };
}

interface Enrolled {
  readonly load: EnrolLoadResult;
  readonly probe: DeviceProbeResult;
  readonly cpuSeconds: number;
}

async function enrol(
  selsyn: SelsynServer,
  { name, devices, perConnection }: { readonly name: string; readonly devices: number; readonly perConnection: number },
): Promise<Enrolled> {
  await send(selsyn, 'PUT', `/provisioning/templates/${name}`, {
    ...TEMPLATE,
    device: { ...TEMPLATE.device, id: `${name}-\${parameters.SerialNumber}` },
  });
  const expiresAtMs = Date.now() + 86_400_000;
  await send(selsyn, 'POST', '/provisioning/claims', {
    name,
    template: name,
    maxCount: devices,
    ratePerMinute: 1_000_000,
    expiresAtMs,
  });
  const claim = await send<{ certificatePem: string; chainPem: string; privateKeyPem: string }>(
    selsyn,
    'POST',
    `/provisioning/claims/${name}/certificates`,
    {},
  );
  for (let start = 0; start < devices; start += 50_000) {
    const rows = Array.from({ length: Math.min(50_000, devices - start) }, (_, n) => `S${start + n}\n`).join('');
    await send(selsyn, 'POST', `/provisioning/templates/${name}/manifest`, `serial\n${rows}`);
  }
  const { folder } = selsyn.process;
  const path = (file: string): string => join(folder, `${name}-${file}`);
  writeFileSync(path('claim.crt'), claim.certificatePem + claim.chainPem);
  writeFileSync(path('claim.key'), claim.privateKeyPem);
  const load: EnrolLoad = {
    port: selsyn.tlsPort,
    ca: join(folder, 'data', 'pki', 'ca.crt'),
    certificate: path('claim.crt'),
    key: path('claim.key'),
    template: name,
    prefix: 'S',
    devices,
    stations: STATIONS,
    perConnection,
  };
  using stations = await NodeLoad.start<EnrolLoadResult>('enrol-load', load);
  const beforeCpu = selsyn.process.cpuSeconds();
  const result = await probe(selsyn, async () => await stations.result());
  return { load: result.result, probe: result.probe, cpuSeconds: selsyn.process.cpuSeconds() - beforeCpu };
}

/** Lets devices publish while something else is done. */
async function probe<T>(
  { mqttPort }: SelsynServer,
  meanwhile: () => Promise<T>,
): Promise<{ readonly probe: DeviceProbeResult; readonly result: T }> {
  using devices = await NodeLoad.start<DeviceProbeResult>('device-probe', { ...PROBE, port: mqttPort } satisfies DeviceProbe);
  const result = await meanwhile();
  return { probe: await devices.result(), result };
}

/** Without the thousands of single times. */
function told({ load, probe: probed, cpuSeconds }: Enrolled): object {
  return { cpuSeconds, load: { ...load, latenciesMs: quantilesOf(load.latenciesMs) }, probe: summary(probed) };
}

function quantilesOf(sorted: readonly number[]): number[] {
  return [0.5, 0.9, 0.99, 0.999].map((q) => quantile(sorted, q));
}

function summary(result: DeviceProbeResult): DeviceProbeResult {
  return { ...result, latenciesMs: quantilesOf(result.latenciesMs) };
}

/** Of the registry, with what is not written back yet. */
function sizeOf(folder: string): number {
  return ['registry.db', 'registry.db-wal']
    .map((file) => statSync(join(folder, 'data', file), { throwIfNoEntry: false })?.size ?? 0)
    .reduce((sum, size) => sum + size, 0);
}
