import { describe, expect, it } from 'vitest';
import { openMetrics } from '../kernel/metrics.ts';
import { connectOf, openTestBroker, subscribeOf } from './broker.fixture.ts';
import { registerBrokerMetrics } from './broker-metrics.ts';

describe('the metrics of a broker', () => {
  it('say what it has done, each time they are asked', async () => {
    const { broker, connect } = openTestBroker();
    const registry = openMetrics('gateway-0');
    registerBrokerMetrics(registry, broker);
    const client = await connect(5);
    client.send(subscribeOf('a', 1));
    client.publish('a', 'x', { qos: 1, packetId: 1, retain: true });
    client.publish('telemetry/d', 'x', { qos: 1, packetId: 2 });
    await client.take();
    await registry.metrics();
    const text = await registry.metrics();
    for (const line of [
      'selsyn_mqtt_messages_received_total{qos="1",thread="gateway-0"} 2',
      'selsyn_mqtt_messages_sent_total{qos="1",thread="gateway-0"} 1',
      'selsyn_mqtt_sessions{state="connected",thread="gateway-0"} 1',
      'selsyn_mqtt_sessions{state="offline",thread="gateway-0"} 0',
      'selsyn_mqtt_packets_received_total{thread="gateway-0"} 4',
      'selsyn_mqtt_payload_bytes_received_total{thread="gateway-0"} 2',
      'selsyn_mqtt_payload_bytes_sent_total{thread="gateway-0"} 1',
      'selsyn_mqtt_subscriptions{thread="gateway-0"} 1',
      'selsyn_mqtt_retained_messages{thread="gateway-0"} 1',
      'selsyn_mqtt_waiting_acknowledgements{thread="gateway-0"} 1',
      'selsyn_mqtt_sessions_closed_total{reason="keep-alive",thread="gateway-0"} 0',
      'selsyn_mqtt_dropped_messages_total{reason="slow-subscriber",thread="gateway-0"} 0',
    ]) {
      expect(text).toContain(line);
    }
  });

  it('count each reason code that was sent and received, by packet type', async () => {
    const { broker, connect } = openTestBroker();
    const registry = openMetrics('gateway-0');
    registerBrokerMetrics(registry, broker);
    const client = await connect(5);
    client.send(subscribeOf('a', 1), subscribeOf('secret', 1));
    client.publish('a', 'x', { qos: 1, packetId: 1 });
    client.publish('secret', 'x', { qos: 1, packetId: 2 });
    client.publish('b', 'x', { qos: 2, packetId: 3 });
    client.send({ type: 'unsubscribe', packetId: 4, filters: ['a', 'b'] });
    await client.take();
    client.send({ type: 'puback', packetId: 1, reasonCode: 0x80 }, { type: 'disconnect', reasonCode: 4 });
    const other = await connect(5, { clientId: 'c2' });
    other.send(subscribeOf('a'), { type: 'pingreq' }, connectOf(5));
    await other.take();
    const text = await registry.metrics();
    const counted = [...text.matchAll(/^selsyn_mqtt_reason_codes_(\w+)_total\{packet="(\w+)",code="(\w+)",.*\} (\d+)$/gm)];
    expect(counted.map(([, direction, packet, code, count]) => `${direction} ${packet} ${code} ${count}`)).toEqual([
      'sent connack 0x00 2',
      'sent puback 0x00 1',
      'sent puback 0x87 1',
      'sent pubrec 0x10 1',
      'sent suback 0x00 1',
      'sent suback 0x01 1',
      'sent suback 0x87 1',
      'sent unsuback 0x00 1',
      'sent unsuback 0x11 1',
      'sent disconnect 0x82 1',
      'received puback 0x80 1',
      'received disconnect 0x04 1',
    ]);
  });
});
