/** For tests: the certificate services over a database in memory, with two devices in two groups. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Actor, systemActor } from '../audit/actor.ts';
import { AuditTrail } from '../audit/audit-trail.ts';
import { openSqliteDatabase } from '../database/drivers/sqlite/sqlite-database.ts';
import { migrate } from '../database/migrate.ts';
import type { Database } from '../database/schema.ts';
import { parseDeviceId } from '../kernel/device-id.ts';
import { FakeClock } from '../kernel/fake-clock.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import { DeviceStore } from '../registry/device-store.ts';
import type { RenewalMessage } from './certificate-sweeper.ts';
import { LocalSigning } from './local-signing.ts';
import { newPkiServices, type PkiServices } from './pki-services.ts';

export const DAY_MS = 86_400_000;
export const LIFETIME_MS = 90 * DAY_MS;
export const ACTOR: Actor = systemActor('test');

export interface TestCertificates extends PkiServices, AsyncDisposable {
  readonly database: Database;
  readonly clock: FakeClock;
  readonly devices: DeviceStore;
  readonly trail: AuditTrail;
  readonly signing: LocalSigning;
  /** Principals whose access was said to have changed, call by call. */
  readonly changed: (readonly string[])[];
  readonly published: RenewalMessage[];
  /** How often trust has changed. */
  readonly trustChanges: () => number;
  addDevice(id: string, group?: string): Promise<void>;
  /** An active certificate of a device; its id. */
  issue(deviceId: string, notAfterMs?: number): Promise<string>;
}

/** @param clockMs in the present for those who have openssl look at what comes out */
export async function openTestCertificates(clockMs?: number): Promise<TestCertificates> {
  const dir = mkdtempSync(join(tmpdir(), 'selsyn-certificates-'));
  const file = openSqliteDatabase(':memory:');
  const { database } = file;
  await migrate(database);
  const clock = new FakeClock(clockMs);
  const signing = LocalSigning.open({ dir, clock });
  const devices = new DeviceStore({ database, clock });
  const changed: (readonly string[])[] = [];
  const published: RenewalMessage[] = [];
  let trustChanges = 0;
  let counter = 0;
  const pki = newPkiServices({
    database,
    clock,
    random: (count) => Buffer.alloc(count, ++counter),
    logLines: silentLogLines,
    signing,
    lifetimeMs: LIFETIME_MS,
    onAccessChanged: async (principals) => void changed.push(principals),
    publish: async (messages) => void published.push(...messages),
    serverAuthority: 'issuing',
    hasTemplate: async (name) => name === 'jitr',
    onTrustChanged: async () => void trustChanges++,
  });
  const { certificates, authorities } = pki;
  await authorities.recordOwn();
  const addDevice = async (id: string, group = '/'): Promise<void> => {
    await devices.create({ id: parseDeviceId(id), group }, ACTOR);
  };
  await addDevice('a1', '/acme');
  await addDevice('b1', '/other');
  return {
    database,
    clock,
    devices,
    trail: new AuditTrail({ database, clock }),
    ...pki,
    signing,
    changed,
    published,
    trustChanges: () => trustChanges,
    addDevice,
    async issue(deviceId, notAfterMs) {
      const options = { commonName: deviceId, purpose: 'device', status: 'active', deviceId, notAfterMs, actor: ACTOR } as const;
      return (await certificates.issueWithNewKey(options)).certificateId;
    },
    async [Symbol.asyncDispose]() {
      await file[Symbol.asyncDispose]();
      rmSync(dir, { recursive: true });
    },
  };
}
