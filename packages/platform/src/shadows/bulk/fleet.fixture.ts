import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Actor } from '../../audit/actor.ts';
import { openSqliteDatabase, openSqliteReader } from '../../database/drivers/sqlite/sqlite-database.ts';
import { migrate } from '../../database/migrate.ts';
import type { StateDatabase, StateSchema } from '../../database/schema.ts';
import { STATE_MIGRATIONS } from '../../database/state-migrations.ts';
import { parseDeviceId } from '../../kernel/device-id.ts';
import { FakeClock } from '../../kernel/fake-clock.ts';
import { silentLogLines } from '../../kernel/log-lines.ts';
import type { DeviceDraft } from '../../registry/device.ts';
import { DeviceStore } from '../../registry/device-store.ts';
import { DeviceTypeStore } from '../../registry/device-type-store.ts';
import { FleetStore, fleetsFollow } from '../../registry/fleet-store.ts';
import { GroupStore } from '../../registry/group-store.ts';
import { groupsAreNoted } from '../../registry/registry-stream.ts';
import { EVERYTHING, type Scope } from '../../registry/scope.ts';
import type { OutgoingMessage } from '../../state/outgoing.ts';
import { RegistryFollowing } from '../../state/registry-following.ts';
import { StateWriter } from '../../state/state-writer.ts';
import { FleetRules } from '../defaults/fleet-rules.ts';
import { ShadowDefaultStore } from '../defaults/shadow-default-store.ts';
import { RegistryShadowDevices } from '../registry-shadow-devices.ts';
import type { Json, JsonObject, ShadowDocument, ShadowPatch } from '../shadow-document.ts';
import { ShadowDomain } from '../shadow-domain.ts';
import { updateRule } from '../shadow-rule-kinds.ts';
import type { ShadowLimits } from '../shadow-rules.ts';
import { ShadowStore } from '../shadow-store.ts';
import type { ShadowResult } from '../shadow-work.ts';
import { ShadowFleet } from './shadow-fleet.ts';
import type { ShadowFleetCalls } from './shadow-fleet-calls.ts';
import type { ShadowFleetDomain } from './shadow-fleet-domain.ts';
import type { ShadowUpdate } from './shadow-update.ts';
import { ShadowUpdateStore } from './shadow-update-store.ts';

export const OPERATOR: Actor = { kind: 'user', id: 'ada', name: 'Ada', remoteAddress: '127.0.0.1' };

export interface TestFleet extends AsyncDisposable {
  readonly clock: FakeClock;
  readonly devices: DeviceStore;
  readonly types: DeviceTypeStore;
  readonly groups: GroupStore;
  readonly fleets: FleetStore;
  readonly calls: ShadowFleetCalls;
  readonly updates: ShadowUpdateStore;
  readonly defaults: ShadowDefaultStore;
  readonly shadows: ShadowDomain;
  readonly domain: ShadowFleetDomain;
  readonly writer: StateWriter;
  readonly database: StateDatabase;
  /** Who asks by `calls`. */
  readonly by: { readonly actor: Actor; scope: Scope };
  /** Adds devices, or changes them, and lets the state hear of it. */
  put(...drafts: (Omit<DeviceDraft, 'id'> & { readonly id: string })[]): Promise<void>;
  /** Lets the state hear of what has happened in the registry. */
  follow(): Promise<void>;
  shadow(device: string, shadow?: string): Promise<ShadowDocument | undefined>;
  /** As a device or a program updates a shadow. */
  update(device: string, patch: ShadowPatch, shadow?: string): Promise<ShadowResult>;
  /** Lets time pass until no update is running. */
  finish(): Promise<void>;
  /** Lets time pass, and what then is to be done be done. */
  pass(ms: number): Promise<void>;
  updateOf(id: string | undefined): Promise<ShadowUpdate>;
  /** Messages since the last call whose topic ends so. */
  take(end: string): readonly { readonly device: string; readonly body: Readonly<Record<string, Json>> }[];
  /** Everything anew on the same files, as after a crash. */
  restart(): Promise<void>;
}

/** A registry and the shadows of its devices, each in a file of its own. */
export async function openTestFleet(options: { readonly limits?: ShadowLimits } = {}): Promise<TestFleet> {
  const folder = mkdtempSync(join(tmpdir(), 'selsyn-shadow-fleet-'));
  const clock = new FakeClock();
  const registryFile = openSqliteDatabase(join(folder, 'selsyn.db'));
  const { database: registry } = registryFile;
  await migrate(registry);
  const published: OutgoingMessage[] = [];
  const by = { actor: OPERATOR, scope: EVERYTHING };

  const open = async () => {
    const state = openSqliteDatabase<StateSchema>(join(folder, 'state.db'));
    await migrate(state.database, STATE_MIGRATIONS);
    const reader = openSqliteReader(join(folder, 'selsyn.db'));
    const writer = new StateWriter({
      database: state.database,
      outlet: { publish: (messages) => void published.push(...messages), isWatched: () => false, tell: () => {} },
      clock,
      logLines: silentLogLines,
    });
    const devices = new RegistryShadowDevices(reader.database);
    const rules = new FleetRules({ registry: reader.database, devices });
    const shadows = new ShadowDomain({ database: state.database, writer, devices, clock, rules, ...options });
    let seed = 0;
    const fleet = new ShadowFleet({
      database: state.database,
      writer,
      registry: reader.database,
      devices,
      rules,
      shadows,
      clock,
      random: (count) => Uint8Array.from({ length: count }, () => (seed = (seed * 31 + 7) % 251)),
      logLines: silentLogLines,
    });
    const following = new RegistryFollowing({
      registry: reader.database,
      followers: [shadows, fleet.follower],
      writer,
      clock,
      logLines: silentLogLines,
    });
    await following.start(state.database);
    fleet.start();
    return { state, reader, writer, shadows, following, fleet };
  };
  let current = await open();
  const close = async () => {
    await current.fleet[Symbol.asyncDispose]();
    await current.following[Symbol.asyncDispose]();
    current.shadows[Symbol.dispose]();
    await current.writer[Symbol.asyncDispose]();
    await current.reader[Symbol.asyncDispose]();
    await current.state[Symbol.asyncDispose]();
  };
  const types = new DeviceTypeStore({ database: registry, clock });
  const devices = new DeviceStore({ database: registry, clock });
  const settle = async () => {
    for (let i = 0; i < 20; i++) {
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    }
  };
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 50) {
      clock.advance(50);
      await settle();
    }
  };
  return {
    clock,
    devices,
    types,
    groups: new GroupStore({ database: registry, clock, followers: [fleetsFollow, groupsAreNoted(() => clock.now())] }),
    fleets: new FleetStore({ database: registry, clock }),
    get calls() {
      return current.fleet.calls;
    },
    get updates() {
      return new ShadowUpdateStore(current.state.database);
    },
    get defaults() {
      return new ShadowDefaultStore({ state: current.state.database, registry });
    },
    get shadows() {
      return current.shadows;
    },
    get domain() {
      return current.fleet.domain;
    },
    get writer() {
      return current.writer;
    },
    get database() {
      return current.state.database;
    },
    by,
    async put(...drafts) {
      const outcomes = await devices.put(
        drafts.map((draft) => ({ ...draft, id: parseDeviceId(draft.id) })),
        'upsert',
      );
      for (const outcome of outcomes) if (outcome.outcome === 'refused') throw outcome.error;
      await current.following.follow();
    },
    follow: async () => await current.following.follow(),
    shadow: async (device, shadow = '') => await new ShadowStore(current.state.database).find({ device, shadow }),
    update: async (device, patch, shadow = '') =>
      await current.shadows.run({ kind: 'change', device, shadow, rule: updateRule(patch), author: `device:${device}` }),
    pass,
    async finish() {
      for (let i = 0; i < 2_000; i++) {
        const { items } = await new ShadowUpdateStore(current.state.database).list({ state: 'running', limit: 1 });
        if (items.length === 0) return;
        await pass(50);
      }
      throw new Error('an update does not come to its end');
    },
    async updateOf(id) {
      return await new ShadowUpdateStore(current.state.database).get(id ?? 'none');
    },
    take(end) {
      return published
        .splice(0)
        .filter(({ topic }) => topic.endsWith(end))
        .map(({ device, payload }) => ({ device, body: JSON.parse(Buffer.from(payload).toString()) as JsonObject }));
    },
    async restart() {
      await close();
      current = await open();
    },
    async [Symbol.asyncDispose]() {
      await close();
      await registryFile[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true });
    },
  };
}
