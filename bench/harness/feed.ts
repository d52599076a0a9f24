import { MqttPublisher } from './mqtt-publisher.ts';
import type { SensorWalks } from './sensor-walks.ts';
import { untilConsumed, type SelsynServer } from './servers.ts';

const BATCH_SECONDS = 60;

/** Publishes the walks as devices `bench-{n}` in batches of 60 samples, all devices side by side, until all can be queried. */
export async function feedSelsyn(server: SelsynServer, walks: SensorWalks): Promise<void> {
  using publisher = await MqttPublisher.open(server.mqttPort, 'bench-feed');
  for (let second = 0; second < walks.options.seconds; second += BATCH_SECONDS) {
    const end = Math.min(second + BATCH_SECONDS, walks.options.seconds);
    for (let device = 0; device < walks.options.devices; device++) {
      await publisher.publish(`telemetry/bench-${device}`, walks.batch(device, second, end));
    }
  }
  await publisher.acknowledged();
  await untilConsumed(server);
}
