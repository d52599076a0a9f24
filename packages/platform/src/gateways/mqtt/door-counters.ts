import { Counter, Gauge, type Registry } from 'prom-client';
import type { Door } from '../../broker/transport.ts';

/** Why a connection did not get as far as the broker. */
const DOOR_REFUSALS = ['too-many-sockets', 'proxy-header', 'tls-handshake', 'websocket', 'deadline'] as const;

export type DoorRefusal = (typeof DOOR_REFUSALS)[number];

/** What the doors of one thread count: plain fields, read when the metrics are asked for. */
export class DoorCounters {
  /** Sockets that are open now, whatever has become of them. */
  sockets = 0;
  /** Connections that were handed to the broker. */
  readonly admitted: Record<Door, number> = { tcp: 0, tls: 0, ws: 0, wss: 0, unix: 0 };
  readonly refused: Record<DoorRefusal, number> = {
    'too-many-sockets': 0,
    'proxy-header': 0,
    'tls-handshake': 0,
    websocket: 0,
    deadline: 0,
  };
  /** WebSockets that were closed as a message came in too slowly. */
  slowFrames = 0;
  /** TLS handshakes that resumed an earlier session, and so cost no signature. */
  tlsResumed = 0;
}

/** Shows what the doors count. */
export function registerDoorMetrics(registry: Registry, counters: DoorCounters): void {
  new Gauge({
    name: 'selsyn_mqtt_sockets',
    help: 'Open sockets, with those that are not clients yet.',
    registers: [registry],
    collect() {
      this.set(counters.sockets);
    },
  });
  const labelled = (name: string, help: string, label: string, values: Readonly<Record<string, number>>): void => {
    new Counter({
      name,
      help,
      labelNames: [label],
      registers: [registry],
      collect() {
        this.reset();
        for (const [value, count] of Object.entries(values)) this.inc({ [label]: value }, count);
      },
    });
  };
  labelled('selsyn_mqtt_admitted_connections_total', 'Connections that came in, by door.', 'door', counters.admitted);
  labelled(
    'selsyn_mqtt_refused_connections_total',
    'Connections that ended before MQTT began, by reason.',
    'reason',
    counters.refused,
  );
  new Counter({
    name: 'selsyn_mqtt_slow_websockets_total',
    help: 'WebSockets that were closed because a message came in too slowly.',
    registers: [registry],
    collect() {
      this.reset();
      this.inc(counters.slowFrames);
    },
  });
  new Counter({
    name: 'selsyn_mqtt_tls_resumed_total',
    help: 'TLS handshakes that resumed an earlier session.',
    registers: [registry],
    collect() {
      this.reset();
      this.inc(counters.tlsResumed);
    },
  });
}
