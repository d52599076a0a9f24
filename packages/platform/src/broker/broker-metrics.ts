import { Counter, Gauge, type Registry } from 'prom-client';
import type { Broker } from './broker.ts';

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
  counter(registry, 'selsyn_mqtt_sessions_closed_total', 'Sessions that ended, by reason.', 'reason', () =>
    Object.entries(counters.closed),
  );
  total(registry, 'selsyn_mqtt_sessions_accepted_total', 'CONNECTs that were accepted.', () => counters.accepted);
  total(registry, 'selsyn_mqtt_connects_refused_total', 'CONNECTs that were refused.', () => counters.refused);
  total(
    registry,
    'selsyn_mqtt_connect_timeouts_total',
    'Connections without a decided CONNECT at their deadline.',
    () => counters.connectTimeouts,
  );
  total(registry, 'selsyn_mqtt_received_bytes_total', 'Bytes from clients.', () => counters.bytesReceived);
  total(registry, 'selsyn_mqtt_sent_bytes_total', 'Bytes to clients.', () => counters.bytesSent);
  total(
    registry,
    'selsyn_mqtt_reading_pauses_total',
    'Times a connection was not read because the log or another thread lagged.',
    () => counters.readingPauses,
  );
  gauge(registry, 'selsyn_mqtt_connections', 'Open connections.', () => counters.connections);
  gauge(registry, 'selsyn_mqtt_sessions', 'Sessions.', () => counters.sessions);
  gauge(registry, 'selsyn_mqtt_subscriptions', 'Subscriptions.', () => counters.subscriptions);
  gauge(registry, 'selsyn_mqtt_retained_messages', 'Retained messages.', () => broker.retained.count);
  gauge(registry, 'selsyn_mqtt_retained_bytes', 'Bytes of retained messages.', () => broker.retained.bytes);
  gauge(registry, 'selsyn_mqtt_queued_messages', 'Messages held for slow clients.', () => counters.queued);
  gauge(registry, 'selsyn_mqtt_queued_bytes', 'Bytes of messages held for slow clients.', () => counters.queuedBytes);
  gauge(
    registry,
    'selsyn_mqtt_waiting_acknowledgements',
    'Messages whose acknowledgement waits for the log.',
    () => broker.waitingAcks,
  );
}

function gauge(registry: Registry, name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
}

function total(registry: Registry, name: string, help: string, read: () => number): void {
  new Counter({
    name,
    help,
    registers: [registry],
    collect() {
      this.reset();
      this.inc(read());
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
