import { useMemo } from 'react';
import { sparklineArea, sparklinePath, type SparkBox, type SparkPoint } from './sparkline-path.ts';

interface SparklineProps extends Omit<SparkBox, 'width' | 'height'> {
  readonly points: readonly SparkPoint[];
  readonly color: string;
  readonly height?: number;
}

const WIDTH = 160;

/** A line without axes, as wide as its place. */
export function Sparkline({ points, color, height = 28, fromZero = false, spanX, breakAfter }: SparklineProps) {
  const { line, area } = useMemo(() => {
    const box = {
      width: WIDTH,
      height,
      fromZero,
      ...(spanX === undefined ? {} : { spanX }),
      ...(breakAfter === undefined ? {} : { breakAfter }),
    };
    const path = sparklinePath(points, box);
    return { line: path, area: fromZero ? sparklineArea(path, box) : '' };
  }, [points, height, fromZero, spanX, breakAfter]);
  return (
    <svg
      viewBox={`0 0 ${WIDTH} ${height}`}
      width="100%"
      height={height}
      preserveAspectRatio="none"
      aria-hidden="true"
      style={{ display: 'block' }}
    >
      {area !== '' && <path d={area} fill={color} opacity={0.12} />}
      <path d={line} fill="none" stroke={color} strokeWidth="1.4" strokeLinejoin="round" vectorEffect="non-scaling-stroke" />
    </svg>
  );
}
