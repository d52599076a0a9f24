import type { Clock } from '../../kernel/clock.ts';
import type { DeliveryTarget } from '../delivery.ts';
import type { OpenForwarder } from '../forwarder.ts';
import { InfluxdbTarget } from './influxdb-target.ts';
import { KafkaTarget } from './kafka-target.ts';
import { MqttTarget } from './mqtt-target.ts';
import { WebhookTarget } from './webhook-target.ts';

/** The target of a forwarder; it connects when it is first needed. */
export function openTarget({ forwarder, secrets }: OpenForwarder, dependencies: { readonly clock: Clock }): DeliveryTarget {
  const { id, target: settings } = forwarder;
  switch (settings.kind) {
    case 'webhook':
      return new WebhookTarget({ forwarder: id, settings, secrets, ...dependencies });
    case 'kafka':
      return new KafkaTarget({ forwarder: id, settings, secrets });
    case 'mqtt':
      return new MqttTarget({ forwarder: id, settings, secrets });
    case 'influxdb':
      return new InfluxdbTarget({ settings, secrets });
  }
}
