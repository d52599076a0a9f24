import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { openSqliteDatabase } from '../database/drivers/sqlite/sqlite-database.ts';
import { migrate } from '../database/migrate.ts';
import type { Database } from '../database/schema.ts';
import { AuditTrail } from '../audit/audit-trail.ts';
import { AuditChecks } from '../checks/audit-checks.ts';
import { LocalSigning } from '../pki/local-signing.ts';
import { newPkiServices, type PkiServices } from '../pki/pki-services.ts';
import { Provisioning } from '../provisioning/provisioning.ts';
import { ProvisioningTokens } from '../provisioning/provisioning-tokens.ts';
import { AccessKeys } from '../people/access-keys.ts';
import { openPeople, type People } from '../people/people.ts';
import { DeviceTokens } from '../identity/device-tokens.ts';
import { AccessExplainer } from '../identity/policies/access-explanation.ts';
import { PolicyStore } from '../identity/policies/policy-store.ts';
import { ImportedTokens } from '../identity/imported-tokens.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import { FakeClock } from '../kernel/fake-clock.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import { ConnectivityStore } from '../registry/connectivity-store.ts';
import { DeviceStore } from '../registry/device-store.ts';
import { DeviceTypeStore } from '../registry/device-type-store.ts';
import { FleetStore, fleetsFollow } from '../registry/fleet-store.ts';
import { GroupStore } from '../registry/group-store.ts';
import { FileMasterKeys } from '../secrets/drivers/file-master-keys.ts';
import { Secrets } from '../secrets/secrets.ts';
import { exportDevices } from '../registry/export/device-export.ts';
import { DeviceImports } from '../registry/import/device-imports.ts';
import type { PointColumns } from '../telemetry/telemetry-queries.ts';
import { LegalHoldStore } from '../retention/legal-holds.ts';
import { FakeRetentionUpkeep } from '../retention/retention-calls.fixture.ts';
import { RetentionControl } from '../retention/retention-control.ts';
import { RetentionPolicies } from '../retention/retention-policies.ts';
import { FakeArchive } from '../archive/archive-control.fixture.ts';
import { DecoderStore } from '../payloads/decoder-store.ts';
import { DecoderTrials } from '../payloads/decoder-trials.ts';
import { runTrial } from '../payloads/trial-job.ts';
import { DeviceSchemas } from '../payloads/device-schemas.ts';
import { PointDoor } from '../points/point-door.ts';
import { FakePointIntake } from '../points/points.fixture.ts';
import type { ParquetFiles } from '../columnar/parquet-files.ts';
import { TelemetryTransfer } from '../transfer/telemetry-transfer.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { buildApi } from './build-api.ts';
import { CARDINALITY } from './cardinality.fixture.ts';
import { FakeSparkplug } from './sparkplug.fixture.ts';
import { SearchFollowing } from '../shadows/search/search-following.ts';
import { PresenceAlertStore } from '../presence/presence-alert-store.ts';
import { testForwarders } from '../forwarding/forwarders.fixture.ts';
import { FakeSql } from '../sql/fake-sql.fixture.ts';
import { openTestState, type TestState } from './state.fixture.ts';
import { FakeClients, FakeLive, FakeTelemetry, FakeTraces, STATS } from './fakes.fixture.ts';

export const ADMIN_KEY = 'admin-key-of-the-tests';

export interface TestApi extends AsyncDisposable {
  readonly app: FastifyInstance;
  readonly database: Database;
  readonly pki: PkiServices;
  readonly provisioning: Provisioning;
  readonly people: People;
  readonly audit: AuditTrail;
  readonly devices: DeviceStore;
  readonly telemetry: FakeTelemetry;
  readonly archive: FakeArchive;
  /** The upkeep thread, as retention asks it. */
  readonly retention: FakeRetentionUpkeep;
  /** What came by HTTP. */
  readonly intake: FakePointIntake;
  readonly sql: FakeSql;
  readonly live: FakeLive;
  readonly clients: FakeClients;
  readonly sparkplug: FakeSparkplug;
  readonly traces: FakeTraces;
  readonly state: TestState;
  readonly searchFields: SearchFollowing;
  readonly clock: FakeClock;
  readonly cut: DeviceId[];
  /** What gateways were told. */
  readonly accessChanges: (readonly string[] | 'all')[];
}

/** The API over a real registry in memory; telemetry, live feed, clock and randomness are the test's. */
export async function openTestApi(
  overrides:
    | Partial<ApiDependencies>
    | ((made: Pick<TestApi, 'database' | 'clock' | 'audit' | 'pki' | 'provisioning'>) => Partial<ApiDependencies>) = {},
): Promise<TestApi> {
  const open = openSqliteDatabase(':memory:');
  const { database } = open;
  await migrate(database);
  const clock = new FakeClock();
  const archive = new FakeArchive();
  const retention = new FakeRetentionUpkeep();
  const telemetry = new FakeTelemetry();
  const intake = new FakePointIntake();
  const sql = new FakeSql();
  const live = new FakeLive();
  const clients = new FakeClients();
  const sparkplug = new FakeSparkplug();
  const traces = new FakeTraces();
  const cut: DeviceId[] = [];
  const accessChanges: (readonly string[] | 'all')[] = [];
  const random = countingRandom();
  const devices = new DeviceStore({ database, clock });
  const state = await openTestState({ registry: database, clock, random });
  const searchFields = new SearchFollowing({
    state: state.api.reader,
    registry: database,
    calls: state.api.calls,
    clock,
    logLines: silentLogLines,
  });
  await searchFields.start();
  const audit = new AuditTrail({ database, clock });
  const people = await openPeople({
    database,
    clock,
    random,
    audit,
    adminKey: ADMIN_KEY,
    sessionLimits: { idleMs: 3_600_000, maxMs: 43_200_000 },
    oidc: undefined,
    logLines: silentLogLines,
    sealSecret: 'a secret of the tests',
  });
  const pkiDir = mkdtempSync(join(tmpdir(), 'selsyn-api-'));
  const pki = newPkiServices({
    database,
    clock,
    random,
    logLines: silentLogLines,
    signing: LocalSigning.open({ dir: pkiDir, clock }),
    lifetimeMs: 90 * 86_400_000,
    onAccessChanged: async (changed) => void accessChanges.push(changed),
    publish: async () => {},
    serverAuthority: 'issuing',
    hasTemplate: async () => false,
    onTrustChanged: async () => {},
  });
  await pki.authorities.recordOwn();
  const masterKeys = new FileMasterKeys({ path: join(pkiDir, 'master.key'), random });
  const secrets = await Secrets.open(
    { database, clock, random, logLines: silentLogLines },
    { current: masterKeys.make(), others: [], place: masterKeys.path },
    masterKeys,
  );
  const provisioning = new Provisioning({
    database,
    clock,
    random,
    trail: audit,
    logLines: silentLogLines,
    certificates: pki.certificates,
    onAccessChanged: async (changed) => void accessChanges.push(changed),
  });
  const deviceTypes = new DeviceTypeStore({ database, clock });
  const decoders = new DecoderStore({ database, clock });
  const app = await buildApi({
    devices,
    pki,
    provisioning,
    provisioningTokens: new ProvisioningTokens({ database, clock, random, trail: audit, templates: provisioning.templates }),
    tokens: new DeviceTokens({ database, clock, random }),
    policies: new PolicyStore({ database, clock, trail: audit, onAccessChanged: (changed) => accessChanges.push(changed) }),
    explainer: new AccessExplainer({ database, clock }),
    checks: new AuditChecks({
      database,
      clients: { credentialUses: async () => [], takenOver: async () => [] },
      rules: { expiringWithinMs: 30 * 86_400_000, maxAgeMs: 730 * 86_400_000 },
      isLogging: true,
      clock,
      logLines: silentLogLines,
    }),
    connectivity: new ConnectivityStore({ database }),
    groups: new GroupStore({ database, clock, followers: [fleetsFollow] }),
    deviceTypes,
    decoders,
    trials: new DecoderTrials({ decoders, types: deviceTypes, clock, trialer: { try: async (job) => runTrial(job) } }),
    quality: telemetry,
    sql,
    schemas: new DeviceSchemas({ database, clock }),
    fleets: new FleetStore({ database, clock }),
    people,
    accessKeys: new AccessKeys({ database, clock, random, audit, roles: people.roles, sealer: secrets.sealer }),
    audit,
    telemetry,
    points: new PointDoor({
      intake,
      devices,
      openMode: false,
      onDevicesMade: (made) => void accessChanges.push(made),
      clock,
    }),
    transfer: new TelemetryTransfer({ telemetry, archive: undefined, parquet: noParquet, scratchDir: join(pkiDir, 'transfer') }),
    eraser: telemetry,
    archive,
    erasures: archive,
    retention: new RetentionControl({
      policies: new RetentionPolicies({ database, clock }),
      holds: new LegalHoldStore({ database, clock }),
      upkeep: retention.caller,
    }),
    cardinality: { report: async () => CARDINALITY },
    sparkplug,
    presence: new PresenceAlertStore(database),
    forwarders: testForwarders({ database, clock, sealer: secrets.sealer }),
    state: state.api,
    searchFields,
    registryChanged: () => undefined,
    registryFollowed: async () => {},
    live,
    clients,
    traces,
    stats: { current: () => STATS },
    metrics: { render: async () => '# HELP up Up.\nup 1\n' },
    readiness: { reason: () => undefined },
    cutConnections: async (device) => void cut.push(device),
    endSessions: async (device) => void cut.push(device),
    secrets,
    imports: new DeviceImports({
      database,
      clock,
      random,
      tokens: new ImportedTokens({ clock }),
      onAccessChanged: (changed) => accessChanges.push(changed),
      cutConnections: async (device) => void cut.push(device),
    }),
    exportDevices: async (format, query) => await exportDevices({ database, clock }, format, query),
    accessChanged: (changed) => void accessChanges.push(changed),
    dashboardDir: undefined,
    allowedHosts: undefined,
    publicUrl: undefined,
    trustedProxies: [],
    clock,
    logLines: silentLogLines,
    version: '0.0.0-test',
    ...(typeof overrides === 'function' ? overrides({ database, clock, audit, pki, provisioning }) : overrides),
  });
  return {
    app,
    database,
    pki,
    provisioning,
    people,
    audit,
    devices,
    telemetry,
    archive,
    retention,
    intake,
    sql,
    live,
    clients,
    sparkplug,
    traces,
    state,
    searchFields,
    clock,
    cut,
    accessChanges,
    async [Symbol.asyncDispose]() {
      await app.close();
      await searchFields[Symbol.asyncDispose]();
      await state[Symbol.asyncDispose]();
      await provisioning[Symbol.asyncDispose]();
      await open[Symbol.asyncDispose]();
      rmSync(pkiDir, { recursive: true });
    },
  };
}

export const asAdmin = { authorization: `Bearer ${ADMIN_KEY}` } as const;

/** Whoever needs files of Parquet has the real thing in a test of its own. */
const noParquet = {} as unknown as ParquetFiles;

/** Different bytes at each call, the same in each run. */
export function countingRandom(): (count: number) => Uint8Array {
  let calls = 0;
  return (count) => createHash('shake256', { outputLength: count }).update(String(calls++)).digest();
}

/** Adds a device and gives its token. */
export async function addDevice(api: TestApi, id: string): Promise<string> {
  const answer = await api.app.inject({ method: 'POST', url: '/api/v1/devices', headers: asAdmin, payload: { id } });
  return answer.json<{ token: string }>().token;
}

/** Columns from pairs, as the store gives them. */
export function columns(points: readonly (readonly [number, number])[]): PointColumns {
  return { times: Float64Array.from(points, ([time]) => time), values: Float64Array.from(points, ([, value]) => value) };
}
