/** A unit as a multiple of the base of its dimension: `base = value * times / over + plus`. */
export interface Unit {
  readonly dimension: string;
  readonly times: number;
  readonly over: number;
  readonly plus: number;
}

type Row = readonly [names: string, times: number, over?: number, plus?: number];

/*
 * Names as people write them, and those of SenML (RFC 8428, section 12.1, and RFC 8798), which are marked by nothing: `Cel`, `%RH`.
 * Upper and lower case differ (mW, MW). What means one thing to people and another to SenML is not here: C, F.
 */
const DIMENSIONS: Readonly<Record<string, readonly Row[]>> = {
  temperature: [['°C ℃ Cel degC celsius', 1], ['K kelvin', 1, 1, -273.15], ['°F ℉ degF fahrenheit', 5, 9, -160 / 9]],
  pressure: [
    ['Pa', 1], ['hPa mbar', 100], ['kPa', 1000], ['MPa', 1_000_000], ['bar', 100_000], ['psi', 6894.757293168361],
    ['mmHg', 133.322387415], ['inHg', 3386.388640341], ['atm', 101_325],
  ],
  power: [['W', 1], ['mW', 1, 1000], ['kW', 1000], ['MW', 1_000_000], ['GW', 1_000_000_000]],
  'apparent power': [['VA', 1], ['kVA', 1000], ['MVA', 1_000_000]],
  'reactive power': [['var', 1], ['kvar', 1000]],
  'reactive energy': [['vars', 1], ['varh', 3600], ['kvarh', 3_600_000]],
  energy: [
    ['J Ws', 1], ['kJ', 1000], ['MJ', 1_000_000], ['GJ', 1_000_000_000],
    ['Wh', 3600], ['kWh', 3_600_000], ['MWh', 3_600_000_000],
  ],
  length: [
    ['m', 1], ['mm', 1, 1000], ['cm', 1, 100], ['km', 1000], ['µm μm um', 1, 1_000_000],
    ['in', 254, 10_000], ['ft', 3048, 10_000], ['yd', 9144, 10_000], ['mi', 1_609_344, 1000],
  ],
  speed: [
    ['m/s', 1], ['km/h kph', 1000, 3600], ['mph', 44_704, 100_000], ['kn kt', 1852, 3600], ['ft/s', 3048, 10_000],
  ],
  acceleration: [['m/s2 m/s²', 1]],
  ratio: [
    ['/ ratio', 1], ['% %RH %EL /100', 1, 100], ['‰ /1000', 1, 1000], ['ppm', 1, 1_000_000], ['ppb', 1, 1_000_000_000],
  ],
  voltage: [['V', 1], ['mV', 1, 1000], ['µV μV uV', 1, 1_000_000], ['kV', 1000]],
  current: [['A', 1], ['mA', 1, 1000], ['µA μA uA', 1, 1_000_000], ['kA', 1000]],
  charge: [['Ah', 3600], ['mAh', 36, 10]],
  resistance: [['Ω Ohm ohm', 1], ['mΩ', 1, 1000], ['kΩ', 1000], ['MΩ', 1_000_000]],
  frequency: [['Hz 1/s', 1], ['kHz', 1000], ['MHz', 1_000_000], ['GHz', 1_000_000_000], ['1/min rpm beat/min', 1, 60]],
  time: [['s', 1], ['ms', 1, 1000], ['µs μs us', 1, 1_000_000], ['min', 60], ['h', 3600], ['d', 86_400]],
  mass: [
    ['kg', 1], ['g', 1, 1000], ['mg', 1, 1_000_000], ['t', 1000], ['lb', 45_359_237, 100_000_000], ['oz', 28_349_523_125, 1_000_000_000_000],
  ],
  volume: [['m3 m³', 1], ['l L', 1, 1000], ['ml mL', 1, 1_000_000], ['gal', 3_785_411_784, 1_000_000_000_000]],
  'volume flow': [
    ['m3/s m³/s', 1], ['m3/h m³/h', 1, 3600], ['l/s L/s', 1, 1000], ['l/min L/min', 1, 60_000], ['l/h L/h', 1, 3_600_000],
  ],
  'mass in a volume': [['g/m3', 1], ['mg/m3 mg/m³', 1, 1000], ['µg/m3 μg/m³ µg/m³ ug/m3', 1, 1_000_000], ['mg/l mg/L', 1]],
  area: [['m2 m²', 1], ['cm2 cm²', 1, 10_000], ['ft2 ft²', 9_290_304, 100_000_000]],
  force: [['N', 1], ['kN', 1000]],
  angle: [['° deg lat lon', 1], ['rad', 57.29577951308232]],
  illuminance: [['lx', 1], ['klx', 1000]],
  conductivity: [['S/m', 1], ['mS/cm', 1, 10], ['µS/cm μS/cm uS/cm', 1, 10_000]],
  level: [['dBW', 1], ['dBm', 1, 1, -30]],
  data: [
    ['B', 1], ['bit', 1, 8], ['kB', 1000], ['MB', 1_000_000], ['GB', 1_000_000_000],
    ['KiB', 1024], ['MiB', 1_048_576], ['GiB', 1_073_741_824],
  ],
  'data rate': [['bit/s', 1], ['B/s', 8], ['kbit/s', 1000], ['Mbit/s', 1_000_000], ['kB/s', 8000], ['MB/s', 8_000_000]],
}; // prettier-ignore

const UNITS: ReadonlyMap<string, Unit> = new Map(
  Object.entries(DIMENSIONS).flatMap(([dimension, rows]) =>
    rows.flatMap(([names, times, over = 1, plus = 0]) =>
      names.split(' ').map((name): [string, Unit] => [name, { dimension, times, over, plus }]),
    ),
  ),
);

/** Undefined where the name is not known. Spaces around it do not count. */
export function unitOf(name: string): Unit | undefined {
  return UNITS.get(name.trim());
}
