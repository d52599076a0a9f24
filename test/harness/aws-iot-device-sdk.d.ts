/** What the tests use of the AWS IoT Device SDK v1, which brings no types. */
declare module 'aws-iot-device-sdk' {
  import type { EventEmitter } from 'node:events';

  interface DeviceOptions {
    readonly host: string;
    readonly port: number;
    readonly protocol: 'mqtts' | 'wss' | 'wss-custom-auth';
    readonly clientId: string;
    readonly clean: boolean;
    readonly baseReconnectTimeMs: number;
    readonly minimumConnectionTimeMs: number;
    readonly maximumReconnectTimeMs: number;
    readonly drainTimeMs: number;
    /** Appends the SDK's name to the username. Default true. */
    readonly enableMetrics?: boolean;
    readonly username?: string;
    readonly password?: string;
    readonly caPath?: string;
    readonly certPath?: string;
    readonly keyPath?: string;
    readonly ALPNProtocols?: readonly string[];
    readonly region?: string;
    readonly accessKeyId?: string;
    readonly secretKey?: string;
    readonly customAuthHeaders?: Readonly<Record<string, string>>;
    readonly websocketOptions?: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
    readonly will?: { readonly topic: string; readonly payload: string; readonly qos: 0 | 1; readonly retain: boolean };
  }

  interface PacketOptions {
    readonly qos: 0 | 1 | 2;
    readonly retain?: boolean;
  }

  class Device extends EventEmitter {
    constructor(options: DeviceOptions);
    subscribe(
      filter: string,
      options: PacketOptions,
      callback: (error: Error | null | undefined, granted: readonly { readonly qos: number }[]) => void,
    ): void;
    publish(topic: string, message: string, options: PacketOptions, callback: (error?: Error | null) => void): void;
    end(force: boolean, callback: () => void): void;
  }

  class ThingShadow extends EventEmitter {
    constructor(options: DeviceOptions);
    register(
      thingName: string,
      options: { readonly ignoreDeltas?: boolean; readonly enableVersioning?: boolean; readonly persistentSubscribe?: boolean },
      callback: (error?: Error, refused?: readonly unknown[]) => void,
    ): void;
    unregister(thingName: string): void;
    /** @returns the client token; null while another operation is under way. */
    update(thingName: string, state: object): string | null;
    get(thingName: string): string | null;
    delete(thingName: string): string | null;
    end(force: boolean, callback: () => void): void;
  }

  interface Job {
    readonly id: string;
    readonly document: Readonly<Record<string, unknown>>;
    readonly operation: string | undefined;
    readonly status: { readonly status: string; readonly statusDetails?: Readonly<Record<string, string>> };
    inProgress(details: Readonly<Record<string, string>>, callback: (error?: Error | null) => void): void;
    failed(details: Readonly<Record<string, string>>, callback: (error?: Error | null) => void): void;
    succeeded(details: Readonly<Record<string, string>>, callback: (error?: Error | null) => void): void;
  }

  class Jobs extends EventEmitter {
    constructor(options: DeviceOptions);
    subscribeToJobs(thingName: string, operation: string, callback: (error: Error | null, job: Job) => void): void;
    subscribeToJobs(thingName: string, callback: (error: Error | null, job: Job) => void): void;
    unsubscribeFromJobs(thingName: string, operation: string, callback: (error?: Error | null) => void): void;
    startJobNotifications(thingName: string, callback: (error?: Error | null) => void): void;
    end(force: boolean, callback: () => void): void;
  }

  const awsIot: { readonly device: typeof Device; readonly thingShadow: typeof ThingShadow; readonly jobs: typeof Jobs };
  export default awsIot;
  export type { Device, DeviceOptions, Job, Jobs, ThingShadow };
}
