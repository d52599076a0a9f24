import type { Database, StateDatabase } from '../../database/schema.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { LogLines } from '../../kernel/log-lines.ts';
import type { RandomBytes } from '../../kernel/secret.ts';
import { DeviceStore } from '../../registry/device-store.ts';
import { FleetStore } from '../../registry/fleet-store.ts';
import type { RegistryFollower } from '../../state/registry-changes.ts';
import type { StateWriter } from '../../state/state-writer.ts';
import type { FleetRules } from '../defaults/fleet-rules.ts';
import type { ShadowDevices } from '../shadow-hooks.ts';
import type { ShadowDomain } from '../shadow-domain.ts';
import { shadowFleetCalls, type ShadowFleetCalls } from './shadow-fleet-calls.ts';
import { ShadowFleetDomain } from './shadow-fleet-domain.ts';
import { ShadowUpdateRunner } from './shadow-update-runner.ts';

/** All of shadows that is about many devices, put together. */
export class ShadowFleet implements AsyncDisposable {
  readonly domain: ShadowFleetDomain;
  readonly calls: ShadowFleetCalls;
  readonly #runner: ShadowUpdateRunner;

  constructor(dependencies: {
    /** Of the writer. */
    readonly database: StateDatabase;
    readonly writer: StateWriter;
    /** To be read. */
    readonly registry: Database;
    readonly devices: ShadowDevices;
    /** Those that the shadows have. */
    readonly rules: FleetRules;
    readonly shadows: ShadowDomain;
    /** As filters find devices; undefined: by what is in the registry alone. */
    readonly deviceStore?: Pick<DeviceStore, 'matching'>;
    readonly clock: Clock;
    readonly random: RandomBytes;
    readonly logLines: LogLines;
  }) {
    const { registry, clock, deviceStore = new DeviceStore({ database: registry, clock }) } = dependencies;
    const fleets = new FleetStore({ database: registry, clock });
    this.domain = new ShadowFleetDomain({ ...dependencies, devices: deviceStore, fleets });
    this.calls = shadowFleetCalls({ ...dependencies, domain: this.domain });
    this.#runner = new ShadowUpdateRunner({ ...dependencies, domain: this.domain });
  }

  /** To be shown what happens in the registry, after the shadows themselves. */
  get follower(): RegistryFollower {
    return this.domain;
  }

  /** Goes on with what is not done. */
  start(): void {
    this.#runner.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#runner[Symbol.asyncDispose]();
  }
}
