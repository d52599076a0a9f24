import { Counter, Gauge, type Registry } from 'prom-client';
import { total } from '../kernel/metrics.ts';
import type { Broker } from './broker.ts';
import type { BrokerCounters } from './counters.ts';

/** Shows what a broker counts; read when the metrics are asked for, so that counting costs an increment. */
export function registerBrokerMetrics(registry: Registry, broker: Broker): void {
  const { counters } = broker;
  const byQos = (name: string, help: string, read: () => readonly [number, number, number]): void =>
    counter(registry, name, help, 'qos', () => read().map((value, qos): [string, number] => [String(qos), value]));
  byQos('selsyn_mqtt_messages_received_total', 'PUBLISH packets from clients, by QoS.', () => [
    counters.received0,
    counters.received1,
    counters.received2,
  ]);
  byQos('selsyn_mqtt_messages_sent_total', 'PUBLISH packets to clients, by QoS.', () => [
    counters.sent0,
    counters.sent1,
    counters.sent2,
  ]);
  counter(
    registry,
    'selsyn_mqtt_dropped_messages_total',
    'Messages that were not delivered to a client or not taken from one, by reason.',
    'reason',
    () => Object.entries(counters.dropped),
  );
  counter(
    registry,
    'selsyn_mqtt_sessions_closed_total',
    'Connections that ended after they were let in, by reason.',
    'reason',
    () => Object.entries(counters.closed),
  );
  total(registry, 'selsyn_mqtt_sessions_expired_total', 'Sessions whose time was over.', () => counters.expiredSessions);
  total(
    registry,
    'selsyn_mqtt_wide_sessions_ended_total',
    'Sessions that subscribe to everything and were ended because their queue stayed full.',
    () => counters.wideSessionsEnded,
  );
  reasonCodes(registry, 'sent', counters);
  reasonCodes(registry, 'received', counters);
  total(registry, 'selsyn_mqtt_sessions_accepted_total', 'CONNECTs that were accepted.', () => counters.accepted);
  total(registry, 'selsyn_mqtt_connects_refused_total', 'CONNECTs that were refused.', () => counters.refused);
  total(
    registry,
    'selsyn_mqtt_connect_timeouts_total',
    'Connections without a decided CONNECT at their deadline.',
    () => counters.connectTimeouts,
  );
  total(registry, 'selsyn_mqtt_packets_received_total', 'Packets of any type from clients.', () => counters.packetsReceived);
  total(registry, 'selsyn_mqtt_packets_sent_total', 'Packets of any type to clients.', () => counters.packetsSent);
  total(
    registry,
    'selsyn_mqtt_payload_bytes_received_total',
    'Bytes of the payloads of PUBLISH packets from clients.',
    () => counters.payloadBytesReceived,
  );
  total(
    registry,
    'selsyn_mqtt_payload_bytes_sent_total',
    'Bytes of the payloads of PUBLISH packets to clients.',
    () => counters.payloadBytesSent,
  );
  total(registry, 'selsyn_mqtt_received_bytes_total', 'Bytes from clients.', () => counters.bytesReceived);
  total(registry, 'selsyn_mqtt_sent_bytes_total', 'Bytes to clients.', () => counters.bytesSent);
  total(
    registry,
    'selsyn_mqtt_reading_pauses_total',
    'Times a connection was not read because the log or another thread lagged, or its client did not read its answers.',
    () => counters.readingPauses,
  );
  gauge(registry, 'selsyn_mqtt_connections', 'Open connections.', () => counters.connections);
  gauge(
    registry,
    'selsyn_mqtt_sessions',
    'Sessions, by state: `connected`, or `offline` where one waits for its client.',
    () => [
      [{ state: 'connected' }, counters.sessions],
      [{ state: 'offline' }, counters.offlineSessions],
    ],
    ['state'],
  );
  gauge(registry, 'selsyn_mqtt_subscriptions', 'Subscriptions.', () => counters.subscriptions);
  gauge(registry, 'selsyn_mqtt_shared_subscriptions', 'Those of them that are shared.', () => counters.sharedSubscriptions);
  gauge(
    registry,
    'selsyn_mqtt_retained_messages',
    'Retained messages; each thread has a copy of all: do not add them up.',
    () => broker.retained.count,
  );
  gauge(
    registry,
    'selsyn_mqtt_retained_bytes',
    'Bytes of retained messages, in the copy of a thread.',
    () => broker.retained.bytes,
  );
  gauge(
    registry,
    'selsyn_mqtt_queued_messages',
    'Messages that wait for a client: for its window, its socket or its return.',
    () => counters.queued,
  );
  gauge(registry, 'selsyn_mqtt_queued_bytes', 'Bytes of messages that wait for a client.', () => counters.queuedBytes);
  gauge(
    registry,
    'selsyn_mqtt_backlog_bytes',
    'Bytes that sockets have not taken, as of the last second.',
    () => counters.backlogBytes,
  );
  gauge(
    registry,
    'selsyn_mqtt_partial_bytes',
    'Bytes of packets whose rest has not come, as of the last second.',
    () => counters.partialBytes,
  );
  gauge(
    registry,
    'selsyn_mqtt_waiting_acknowledgements',
    'Messages whose acknowledgement waits for the log.',
    () => broker.waitingAcks,
  );
}

function gauge(
  registry: Registry,
  name: string,
  help: string,
  read: () => number | readonly (readonly [labels: Record<string, string>, value: number])[],
  labelNames: string[] = [],
): void {
  new Gauge({
    name,
    help,
    labelNames,
    registers: [registry],
    collect() {
      const value = read();
      if (typeof value === 'number') this.set(value);
      else for (const [labels, each] of value) this.set(labels, each);
    },
  });
}

/** One value for each packet type and code that occurred, as `0x87`. */
function reasonCodes(registry: Registry, direction: 'sent' | 'received', counters: BrokerCounters): void {
  new Counter({
    name: `selsyn_mqtt_reason_codes_${direction}_total`,
    help: `Reason codes that were ${direction}, by packet type and code; each of the codes of a SUBACK or UNSUBACK counts.`,
    labelNames: ['packet', 'code'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { packet, code, count } of counters.codes.all(direction)) {
        this.inc({ packet, code: `0x${code.toString(16).padStart(2, '0')}` }, count);
      }
    },
  });
}

function counter(registry: Registry, name: string, help: string, label: string, read: () => [string, number][]): void {
  new Counter({
    name,
    help,
    labelNames: [label],
    registers: [registry],
    collect() {
      this.reset();
      for (const [value, count] of read()) this.inc({ [label]: value }, count);
    },
  });
}
