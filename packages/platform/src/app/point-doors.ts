import type { FastifyPluginAsync } from 'fastify';
import { Counter, type Registry } from 'prom-client';
import { slotOf } from '../bus/slot.ts';
import { influxRoutes } from '../gateways/http/influx/influx-routes.ts';
import { remoteWriteRoutes } from '../gateways/http/prometheus/remote-write-routes.ts';
import type { Clock } from '../kernel/clock.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { Caller } from '../kernel/thread-channel.ts';
import type { Identities } from '../people/identities.ts';
import { type DoorKind, PointDoor } from '../points/point-door.ts';
import type { PointCalls } from '../points/point-intake.ts';
import { SpreadPoints } from '../points/spread-points.ts';
import type { DeviceStore } from '../registry/device-store.ts';
import type { Config } from './config-schema.ts';

export interface PointDoors {
  readonly door: PointDoor;
  /** Those of other systems: line protocol and remote write. */
  readonly routes: FastifyPluginAsync;
}

/** The doors by which points come over HTTP. */
export function openPointDoors(options: {
  readonly config: Config;
  readonly threads: readonly { readonly calls: Caller<PointCalls> }[];
  readonly devices: Pick<DeviceStore, 'groupOf' | 'put'>;
  readonly identities: Pick<Identities, 'find'>;
  /** Called once devices were made. */
  readonly onDevicesMade: (ids: readonly DeviceId[]) => void;
  readonly metrics: Registry;
  readonly clock: Clock;
  readonly logLines: LogLines;
  readonly version: string;
}): PointDoors {
  const { config, threads, devices, identities, onDevicesMade, metrics, clock, logLines, version } = options;
  const intake = new SpreadPoints(
    threads.map(({ calls }) => calls),
    slotOf,
    clock,
  );
  const door = new PointDoor({ intake, devices, openMode: config.access.mode === 'open', onDevicesMade, clock });
  registerDoorCounts(metrics, door);
  return {
    door,
    routes: async (scope) => {
      await scope.register(influxRoutes({ door, identities, logLines, version }));
      await scope.register(remoteWriteRoutes({ door, identities, logLines }));
    },
  };
}

export function registerDoorCounts(metrics: Registry, door: PointDoor): void {
  count(metrics, 'selsyn_door_points_total', 'Points that came by HTTP and are durable, by door.', () =>
    Object.entries(door.counts).map(([kind, { points }]) => [kind as DoorKind, points]),
  );
  count(metrics, 'selsyn_door_refused_total', 'Lines, rows and samples that came by HTTP and were not taken, by door.', () =>
    Object.entries(door.counts).map(([kind, { refused }]) => [kind as DoorKind, refused]),
  );
}

function count(registry: Registry, name: string, help: string, counts: () => readonly (readonly [DoorKind, number])[]): void {
  const counter: Counter<'door'> = new Counter({
    name,
    help,
    labelNames: ['door'],
    registers: [registry],
    collect: () => {
      counter.reset();
      for (const [door, value] of counts()) counter.inc({ door }, value);
    },
  });
}
