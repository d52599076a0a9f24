import { systemActor } from '../../audit/actor.ts';
import { openSqliteDatabase } from '../../database/drivers/sqlite/sqlite-database.ts';
import { migrate } from '../../database/migrate.ts';
import type { StateSchema } from '../../database/schema.ts';
import { STATE_MIGRATIONS } from '../../database/state-migrations.ts';
import type { DeviceId } from '../../kernel/device-id.ts';
import { silentLogLines } from '../../kernel/log-lines.ts';
import { localCaller } from '../../kernel/thread-channel.ts';
import { openTestRegistry, type TestRegistry } from '../../registry/registry.fixture.ts';
import type { RegistryChange } from '../../state/registry-changes.ts';
import type { StateDomain } from '../../state/state-domain.ts';
import { StateWriter } from '../../state/state-writer.ts';
import { RegistryShadowDevices } from '../registry-shadow-devices.ts';
import { shadowCalls, type ShadowCalls } from '../shadow-calls.ts';
import type { JsonObject } from '../shadow-document.ts';
import { ShadowDomain } from '../shadow-domain.ts';
import { FieldFilling, searchCalls, type SearchCalls } from './search-calls.ts';
import { SearchFollowing } from './search-following.ts';
import { ShadowSearch } from './shadow-search.ts';

export const actor = systemActor('test');
export const id = (text: string): DeviceId => text as DeviceId;

/** Both databases, and what stands between them; `restart` leaves only the databases. */
export class Platform implements AsyncDisposable {
  readonly registry: TestRegistry;
  readonly #state = openSqliteDatabase<StateSchema>(':memory:');
  shadows!: ShadowCalls;
  domain!: ShadowDomain;
  following!: SearchFollowing;
  writer!: StateWriter;
  #filling!: FieldFilling;
  /** Changes of shadows fail after they were told to followers, as with a full disk. */
  failing = false;
  /** What was taken over by the registry stays unknown to the state, as after a kill between the two. */
  isCutOff = false;
  readonly #changes: RegistryChange[] = [];

  private constructor(registry: TestRegistry) {
    this.registry = registry;
  }

  static async open(): Promise<Platform> {
    const platform = new Platform(await openTestRegistry());
    await migrate(platform.#state.database, STATE_MIGRATIONS);
    await platform.restart();
    return platform;
  }

  get state() {
    return this.#state.database;
  }

  /** As after a kill -9: nothing in memory is left. */
  async restart(): Promise<void> {
    const { database } = this.#state;
    const { clock, database: registry } = this.registry;
    this.#filling?.[Symbol.dispose]();
    this.writer = new StateWriter({
      database,
      clock,
      logLines: silentLogLines,
      outlet: { publish: () => {}, isWatched: () => false, tell: () => {} },
    });
    const search = new ShadowSearch(database);
    await search.open(database);
    const failing = {
      changed: () => {},
      write: async () => {
        if (this.failing) throw new Error('a full disk');
      },
    };
    this.domain = new ShadowDomain({
      database,
      writer: this.writer,
      devices: new RegistryShadowDevices(registry),
      clock,
      followers: [failing, search],
      open: true,
    });
    this.shadows = shadowCalls(this.domain);
    this.#filling = new FieldFilling({ search, writer: this.writer, clock, logLines: silentLogLines });
    this.#filling.start();
    const calls = searchCalls({ search, writer: this.writer, filling: this.#filling });
    this.following = new SearchFollowing({
      state: database,
      registry,
      calls: localCaller<SearchCalls>({
        ...calls,
        shadowValuesTaken: async (sequence) => {
          if (this.isCutOff) throw new Error('killed');
          await calls.shadowValuesTaken(sequence);
        },
      }),
      clock,
      logLines: silentLogLines,
    });
    await this.following.start();
  }

  /** Everything that goes on by itself has come to its end. */
  async settled(): Promise<void> {
    while ((await this.following.list()).some(({ isFilling }) => isFilling)) await this.writer.run(nothing, null);
    await this.following.follow();
    await this.following.follow();
  }

  async removeDevice(device: string): Promise<void> {
    await this.registry.devices.remove(id(device), actor);
    this.#changes.push({ sequence: 1, device, kind: 'removed', atMs: this.registry.clock.now() });
    this.registry.clock.advance(1);
  }

  /** What the state does as it follows the registry. */
  async purge(): Promise<void> {
    const changes = this.#changes.splice(0);
    await this.writer.run<null, null>(
      {
        name: 'purge',
        apply: async (_, batch) => {
          await this.domain.registryChanged(changes, batch);
          return [null];
        },
      },
      null,
    );
  }

  async found(filter: string): Promise<readonly string[]> {
    const { items } = await this.registry.devices.list({ filter, limit: 1000 });
    return items.map((device) => device.id as string).toSorted();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#filling[Symbol.dispose]();
    await this.following[Symbol.asyncDispose]();
    await this.writer[Symbol.asyncDispose]();
    await this.registry[Symbol.asyncDispose]();
    await this.#state[Symbol.asyncDispose]();
  }
}

const nothing: StateDomain<null, null> = { name: 'nothing', apply: async (works) => works };

export async function report(platform: Platform, device: string, reported: JsonObject | null, shadow = ''): Promise<void> {
  await platform.shadows.updateShadow({ device, shadow, actor, patch: { reported } });
}
