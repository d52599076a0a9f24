import type { IncomingHttpHeaders } from 'node:http';
import type { PublishProperties, UserProperties } from '@selsyn/wire/mqtt/packets.ts';
import { isValidTopicName } from '@selsyn/wire/topics/topic-name.ts';
import { utf8LengthExceeds } from '@selsyn/wire/topics/utf8-length.ts';
import { AwsError } from './aws-error.ts';
import { parameterOf, type RawQuery } from './raw-query.ts';

const MAX_EXPIRY_SEC = 0xffff_ffff;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/**
 * The properties of MQTT 5 that a request names: `contentType`, `responseTopic` and `messageExpiry` in its query, the others in headers.
 *
 * Source: https://docs.aws.amazon.com/iot/latest/apireference/API_iotdata_Publish.html
 * @throws AwsError InvalidRequestException
 */
export function messageProperties(query: RawQuery, headers: IncomingHttpHeaders): PublishProperties | undefined {
  const contentType = given(parameterOf(query, 'contentType'));
  const responseTopic = given(parameterOf(query, 'responseTopic'));
  const expiry = given(parameterOf(query, 'messageExpiry'));
  const indicator = headerOf(headers, 'x-amz-mqtt5-payload-format-indicator');
  const correlation = headerOf(headers, 'x-amz-mqtt5-correlation-data');
  const user = headerOf(headers, 'x-amz-mqtt5-user-properties');
  if (contentType !== undefined && !isMqttText(contentType)) throw invalid('contentType must be a text that MQTT can hold');
  if (responseTopic !== undefined && !isValidTopicName(responseTopic)) throw invalid('responseTopic must be a topic name');
  const properties: PublishProperties = {
    ...(contentType !== undefined && { contentType }),
    ...(responseTopic !== undefined && { responseTopic }),
    ...(expiry !== undefined && { messageExpirySec: expiryOf(expiry) }),
    ...(indicator !== undefined && { payloadIsUtf8: isUtf8Of(indicator) }),
    ...(correlation !== undefined && { correlationData: bytesOf(correlation, 'correlationData') }),
    ...(user !== undefined && { userProperties: userPropertiesOf(user) }),
  };
  return Object.keys(properties).length === 0 ? undefined : properties;
}

/** As they were given: base64 of a JSON array of objects. */
export function encodeUserProperties(properties: UserProperties): string {
  return Buffer.from(JSON.stringify(properties.map(([name, value]) => ({ [name]: value }))), 'utf8').toString('base64');
}

function expiryOf(text: string): number {
  const seconds = /^\d{1,10}$/.test(text) ? Number(text) : 0;
  if (seconds < 1 || seconds > MAX_EXPIRY_SEC) throw invalid('messageExpiry must be a whole number of seconds');
  return seconds;
}

function isUtf8Of(indicator: string): boolean {
  if (indicator === 'UTF8_DATA') return true;
  if (indicator === 'UNSPECIFIED_BYTES') return false;
  throw invalid('payloadFormatIndicator must be UNSPECIFIED_BYTES or UTF8_DATA');
}

/** `[{"deviceName": "alpha"}, {"deviceCnt": "45"}]`, in base64. */
function userPropertiesOf(header: string): UserProperties {
  let list: unknown;
  try {
    list = JSON.parse(bytesOf(header, 'userProperties').toString('utf8'));
  } catch (error) {
    if (error instanceof AwsError) throw error;
    throw invalid('userProperties must be base64 of a JSON array');
  }
  if (!Array.isArray(list)) throw invalid('userProperties must be a JSON array');
  return list.flatMap((each: unknown) => {
    if (typeof each !== 'object' || each === null || Array.isArray(each)) throw invalid('userProperties must hold objects');
    return Object.entries(each).map(([name, value]: [string, unknown]) => {
      if (typeof value !== 'string') throw invalid('the values of userProperties must be texts');
      if (!isMqttText(name) || !isMqttText(value)) throw invalid('userProperties must hold texts that MQTT can hold');
      return [name, value] as const;
    });
  });
}

/** Whether it can be sent to subscribers [MQTT-1.5.4-1], [MQTT-1.5.4-2]. */
function isMqttText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0') && !utf8LengthExceeds(text, 65_535);
}

function bytesOf(text: string, name: string): Buffer {
  if (!BASE64.test(text)) throw invalid(`${name} must be base64`);
  return Buffer.from(text, 'base64');
}

function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return given(Array.isArray(value) ? value[0] : value);
}

function given(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

function invalid(message: string): AwsError {
  return new AwsError('InvalidRequestException', message);
}
