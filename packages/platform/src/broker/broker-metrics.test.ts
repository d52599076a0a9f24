import { describe, expect, it } from 'vitest';
import { openMetrics } from '../kernel/metrics.ts';
import { openTestBroker, subscribeOf } from './broker.fixture.ts';
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
      'selsyn_mqtt_sessions{thread="gateway-0"} 1',
      'selsyn_mqtt_subscriptions{thread="gateway-0"} 1',
      'selsyn_mqtt_retained_messages{thread="gateway-0"} 1',
      'selsyn_mqtt_waiting_acknowledgements{thread="gateway-0"} 1',
      'selsyn_mqtt_sessions_closed_total{reason="keep-alive",thread="gateway-0"} 0',
      'selsyn_mqtt_dropped_messages_total{reason="slow-subscriber",thread="gateway-0"} 0',
    ]) {
      expect(text).toContain(line);
    }
  });
});
