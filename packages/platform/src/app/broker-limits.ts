import type { BrokerLimits } from '../broker/limits.ts';
import type { Config } from './config-schema.ts';

/** The bounds of one gateway thread's broker, as they are configured. */
export function brokerLimits({ mqtt }: Config): Partial<BrokerLimits> {
  const { maxSubscriptions, unixSocket: _socket, proxyProtocol: _proxy, sysIntervalSec: _interval, host: _host, ...rest } = mqtt;
  const { port: _port, ...limits } = rest;
  return { ...limits, maxSubscriptionsPerClient: maxSubscriptions };
}
