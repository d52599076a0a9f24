import { iotjobs, mqtt } from 'aws-iot-device-sdk-v2';
import type { AwsFleet } from './aws.fixture.ts';
import { answered, connect311, connect5, leave5, listenTo, refusalOf, REQUEST_RESPONSE } from './aws-v2.fixture.ts';

const { AtLeastOnce } = mqtt.QoS;

export type Changed = iotjobs.model.JobExecutionsChangedEvent;
export type Next = iotjobs.model.NextJobExecutionChangedEvent;

/** A device's jobs, through one of the clients of the SDK. */
export interface JobsUser extends AsyncDisposable {
  pending(): Promise<iotjobs.model.GetPendingJobExecutionsResponse>;
  startNext(more?: object): Promise<iotjobs.model.StartNextJobExecutionResponse>;
  describe(jobId: string, more?: object): Promise<iotjobs.model.DescribeJobExecutionResponse>;
  update(
    jobId: string,
    change: Omit<iotjobs.model.UpdateJobExecutionRequest, 'thingName' | 'jobId'>,
  ): Promise<iotjobs.model.UpdateJobExecutionResponse>;
  changes(heard: Changed[]): Promise<void>;
  nexts(heard: Next[]): Promise<void>;
}

export async function classicJobs(fleet: AwsFleet, thingName: string): Promise<JobsUser> {
  const connection = await connect311(fleet, thingName);
  const client = new iotjobs.IotJobsClient(connection);
  return {
    pending: async () =>
      await answered<iotjobs.model.GetPendingJobExecutionsResponse>(
        async (accepted, rejected) => {
          await client.subscribeToGetPendingJobExecutionsAccepted({ thingName }, AtLeastOnce, accepted);
          await client.subscribeToGetPendingJobExecutionsRejected({ thingName }, AtLeastOnce, rejected);
        },
        async () => await client.publishGetPendingJobExecutions({ thingName, clientToken: 'c' }, AtLeastOnce),
      ),
    startNext: async (more = {}) =>
      await answered<iotjobs.model.StartNextJobExecutionResponse>(
        async (accepted, rejected) => {
          await client.subscribeToStartNextPendingJobExecutionAccepted({ thingName }, AtLeastOnce, accepted);
          await client.subscribeToStartNextPendingJobExecutionRejected({ thingName }, AtLeastOnce, rejected);
        },
        async () => await client.publishStartNextPendingJobExecution({ thingName, ...more }, AtLeastOnce),
      ),
    describe: async (jobId, more = {}) =>
      await answered<iotjobs.model.DescribeJobExecutionResponse>(
        async (accepted, rejected) => {
          await client.subscribeToDescribeJobExecutionAccepted({ thingName, jobId }, AtLeastOnce, accepted);
          await client.subscribeToDescribeJobExecutionRejected({ thingName, jobId }, AtLeastOnce, rejected);
        },
        async () => await client.publishDescribeJobExecution({ thingName, jobId, ...more }, AtLeastOnce),
      ),
    update: async (jobId, change) =>
      await answered<iotjobs.model.UpdateJobExecutionResponse>(
        async (accepted, rejected) => {
          await client.subscribeToUpdateJobExecutionAccepted({ thingName, jobId }, AtLeastOnce, accepted);
          await client.subscribeToUpdateJobExecutionRejected({ thingName, jobId }, AtLeastOnce, rejected);
        },
        async () => await client.publishUpdateJobExecution({ thingName, jobId, ...change }, AtLeastOnce),
      ),
    changes: async (heard) => {
      const take = (_error?: unknown, event?: Changed): void => void (event !== undefined && heard.push(event));
      await client.subscribeToJobExecutionsChangedEvents({ thingName }, AtLeastOnce, take);
    },
    nexts: async (heard) => {
      const take = (_error?: unknown, event?: Next): void => void (event !== undefined && heard.push(event));
      await client.subscribeToNextJobExecutionChangedEvents({ thingName }, AtLeastOnce, take);
    },
    [Symbol.asyncDispose]: async () => {
      await connection.disconnect();
    },
  };
}

export async function jobs311(fleet: AwsFleet, thingName: string): Promise<JobsUser> {
  const connection = await connect311(fleet, thingName);
  return jobsV2(iotjobs.IotJobsClientv2.newFromMqtt311(connection, REQUEST_RESPONSE), thingName, async () => {
    await connection.disconnect();
  });
}

export async function jobs5(fleet: AwsFleet, thingName: string): Promise<JobsUser> {
  const client = await connect5(fleet, thingName);
  return jobsV2(iotjobs.IotJobsClientv2.newFromMqtt5(client, REQUEST_RESPONSE), thingName, async () => await leave5(client));
}

function jobsV2(client: iotjobs.IotJobsClientv2, thingName: string, leave: () => Promise<void>): JobsUser {
  const streams: (() => void)[] = [];
  const asked = async <T>(asking: Promise<T>): Promise<T> => {
    try {
      return await asking;
    } catch (error) {
      throw refusalOf(error);
    }
  };
  return {
    pending: async () => await asked(client.getPendingJobExecutions({ thingName })),
    startNext: async (more = {}) => await asked(client.startNextPendingJobExecution({ thingName, ...more })),
    describe: async (jobId, more = {}) => await asked(client.describeJobExecution({ thingName, jobId, ...more })),
    update: async (jobId, change) => await asked(client.updateJobExecution({ thingName, jobId, ...change })),
    changes: async (heard) => void streams.push(await listenTo(client.createJobExecutionsChangedStream({ thingName }), heard)),
    nexts: async (heard) => void streams.push(await listenTo(client.createNextJobExecutionChangedStream({ thingName }), heard)),
    [Symbol.asyncDispose]: async () => {
      for (const close of streams) close();
      client.close();
      await leave();
    },
  };
}
