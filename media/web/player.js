// The player page: asks /status.json how the channel is, and plays /live.mp4 through a MediaSource,
// close to its end. Whatever fails is tried again for as long as the page is open.
'use strict';

const TARGET_S = 0.8; // behind the end of what has arrived
const HURRY_S = 1.3; // further behind, play a little faster ...
const HURRY_RATE = 1.05;
const JUMP_S = 3; // ... and further than this, skip
const KEEP_S = 10; // behind the picture; with what is ahead below 30 s
const BUFFER_MAX_S = 25;
const STILL_MS = 1500; // a picture that stands that long is said to stand
const RETRY_MS = [250, 500, 1000, 2000];

const $ = (id) => document.getElementById(id);
const video = $('video');
const stage = $('stage');

let channel = null; // as it was last told; null: shoal does not answer
let stream = null; // what plays now
let retries = 0;
let nextTry = 0;
let movedAt = -Infinity;
let lastTime = 0;
let trouble = ''; // why the stream cannot be played at all

// --- the stream ---

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const Source = window.ManagedMediaSource || window.MediaSource;

function opened(source, signal) {
  return new Promise((resolve, reject) => {
    source.addEventListener('sourceopen', resolve, { once: true, signal });
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

class Stream {
  constructor() {
    this.abort = new AbortController();
    this.buffer = null;
  }

  end() {
    this.abort.abort();
  }

  async change(work) {
    const done = new Promise((resolve) => this.buffer.addEventListener('updateend', resolve, { once: true }));
    work();
    await done;
    this.abort.signal.throwIfAborted();
  }

  // What lies far behind goes; a paused picture does not keep the rest.
  async trim() {
    const ranges = this.buffer.buffered;
    if (ranges.length === 0) return;
    const start = ranges.start(0);
    const end = ranges.end(ranges.length - 1);
    const until = Math.max(video.currentTime - KEEP_S, end - BUFFER_MAX_S);
    if (until - start > 2) await this.change(() => this.buffer.remove(start, until));
  }

  async append(bytes) {
    try {
      await this.change(() => this.buffer.appendBuffer(bytes));
    } catch (error) {
      if (error.name !== 'QuotaExceededError') throw error;
      const end = this.buffer.buffered.end(this.buffer.buffered.length - 1);
      await this.change(() => this.buffer.remove(0, Math.max(0.1, end - TARGET_S)));
      await this.change(() => this.buffer.appendBuffer(bytes));
    }
    await this.trim();
  }

  // Until the answer ends: with the broadcast, or because something failed.
  async play(codecs) {
    const { signal } = this.abort;
    const answer = await fetch('/live.mp4', { signal, cache: 'no-store' });
    if (!answer.ok) throw new Error(`live.mp4: ${answer.status}`);
    const source = new Source();
    const isOpen = opened(source, signal);
    const url = URL.createObjectURL(source);
    video.disableRemotePlayback = true;
    video.src = url;
    try {
      await isOpen;
    } finally {
      URL.revokeObjectURL(url);
    }
    this.buffer = source.addSourceBuffer(`video/mp4; codecs="${codecs}"`);
    const reader = answer.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      await this.append(value);
      if (video.error) throw new Error(video.error.message);
      retries = 0;
    }
    if (source.readyState === 'open') source.endOfStream();
  }
}

async function start(codecs) {
  const mine = new Stream();
  stream = mine;
  try {
    await mine.play(codecs);
  } catch (error) {
    if (!mine.abort.signal.aborted) console.info('shoal: the stream is started again:', error.message);
  }
  mine.end();
  if (stream !== mine) return;
  stream = null;
  nextTry = performance.now() + RETRY_MS[Math.min(retries++, RETRY_MS.length - 1)];
}

// Where there is no MediaSource the browser plays the endless file by itself.
function startPlain() {
  stream = { end() {}, buffer: video };
  video.src = `/live.mp4?${Date.now()}`;
  const over = () => {
    stream = null;
    nextTry = performance.now() + RETRY_MS[Math.min(retries++, RETRY_MS.length - 1)];
  };
  video.addEventListener('ended', over, { once: true });
  video.addEventListener('error', over, { once: true });
}

function keepPlaying() {
  if (stream || !channel || channel.state !== 'on_air' || performance.now() < nextTry) return;
  if (!Source) {
    startPlain();
  } else if (channel.codecs) {
    const type = `video/mp4; codecs="${channel.codecs}"`;
    trouble = Source.isTypeSupported(type) ? '' : `This browser cannot play ${channel.codecs}.`;
    if (!trouble) start(channel.codecs);
  }
}

// --- close to live ---

function behind() {
  const ranges = video.buffered;
  return ranges.length ? ranges.end(ranges.length - 1) - video.currentTime : 0;
}

// Goes on where there is something: at the start, and behind a gap.
function crossGap() {
  const ranges = video.buffered;
  for (let i = 0; i < ranges.length; i++) {
    if (ranges.end(i) - video.currentTime <= 0.05) continue;
    if (ranges.start(i) > video.currentTime) video.currentTime = ranges.start(i) + 0.01;
    return;
  }
}

function goLive() {
  const ranges = video.buffered;
  if (ranges.length) {
    const last = ranges.length - 1;
    video.currentTime = Math.max(ranges.start(last) + 0.01, ranges.end(last) - TARGET_S);
  }
  video.play().catch(() => {});
}

function chase() {
  if (!stream || !stream.buffer || video.seeking) return;
  crossGap();
  if (video.paused) return;
  const late = behind();
  if (late > JUMP_S) goLive();
  const hurries = video.playbackRate > 1;
  video.playbackRate = late > (hurries ? TARGET_S : HURRY_S) ? HURRY_RATE : 1;
}

// --- what the page says ---

const WORDS = {
  searching: ['Looking', 'Looking for the channel…'],
  waiting: ['Quiet', 'The source has gone quiet; waiting…'],
  on_air: ['On air', 'Starting…'],
  ended: ['Ended', 'The broadcast has ended.'],
  away: ['Not running', 'shoal does not answer on this computer. Start it again, and this page goes on by itself.'],
};

const count = (n, one, many) => (Number.isFinite(n) ? `${n} ${n === 1 ? one : many}` : '–');

// Only what changes is written, so that a screen reader is not made to repeat itself.
function say(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

function show() {
  const now = performance.now();
  if (video.currentTime !== lastTime) {
    lastTime = video.currentTime;
    if (!video.paused) movedAt = now;
  }
  const moves = now - movedAt < STILL_MS;
  const state = channel ? (WORDS[channel.state] ? channel.state : 'searching') : 'away';
  const [badge, words] = WORDS[state];
  $('badge').dataset.state = state;
  say('badge-text', badge);
  say('title', (channel && channel.title) || 'shoal');
  document.title = channel && channel.title ? `${channel.title} – shoal` : 'shoal';

  const isPaused = video.paused && video.readyState > 1 && stream !== null;
  say('message-text', trouble || (isPaused ? 'Paused' : words));
  $('message').dataset.paused = isPaused;
  $('message').hidden = moves && !trouble;
  $('pulse').hidden = isPaused || state === 'ended' || trouble !== '';
  $('unmute').hidden = !(video.muted && moves);
  $('play').disabled = stream === null && !moves;
  $('live').hidden = !(isPaused || (moves && behind() > JUMP_S));

  const lag = moves && channel && Number.isFinite(channel.lag_ms) ? channel.lag_ms / 1000 + behind() : NaN;
  say('lag', Number.isFinite(lag) ? `${lag.toFixed(1)} s` : '–');
  say('links', count(channel && channel.links, 'neighbour', 'neighbours'));
  say('viewers', count(channel && channel.viewers, 'viewer', 'viewers'));
}

function showControls() {
  const { paused, muted } = video;
  const play = paused ? 'Play' : 'Pause';
  const mute = muted ? 'Unmute' : 'Mute';
  $('play').dataset.paused = paused;
  $('play').setAttribute('aria-label', play);
  $('play').title = `${play} (k)`;
  $('mute').dataset.muted = muted;
  $('mute').setAttribute('aria-label', mute);
  $('mute').setAttribute('aria-pressed', muted);
  $('mute').title = `${mute} (m)`;
  $('volume').value = muted ? 0 : Math.round(video.volume * 100);
  const full = document.fullscreenElement ? 'Leave full screen' : 'Full screen';
  $('full').setAttribute('aria-label', full);
  $('full').title = `${full} (f)`;
}

// --- what the viewer does ---

function togglePlay() {
  if (video.paused) goLive();
  else video.pause();
}

function toggleMute() {
  video.muted = !video.muted;
  if (!video.muted && video.volume === 0) video.volume = 0.8;
}

function toggleFull() {
  if (document.fullscreenElement) document.exitFullscreen();
  else if (stage.requestFullscreen) stage.requestFullscreen().catch(() => {});
  else if (video.webkitEnterFullscreen) video.webkitEnterFullscreen();
}

function setVolume(v) {
  video.volume = Math.min(1, Math.max(0, v));
  video.muted = video.volume === 0;
}

const KEYS = {
  k: togglePlay,
  ' ': togglePlay,
  m: toggleMute,
  f: toggleFull,
  ArrowUp: () => setVolume((video.muted ? 0 : video.volume) + 0.1),
  ArrowDown: () => setVolume((video.muted ? 0 : video.volume) - 0.1),
};

$('play').addEventListener('click', togglePlay);
$('mute').addEventListener('click', toggleMute);
$('unmute').addEventListener('click', toggleMute);
$('live').addEventListener('click', goLive);
$('full').addEventListener('click', toggleFull);
$('volume').addEventListener('input', (event) => setVolume(event.target.value / 100));
stage.addEventListener('dblclick', toggleFull);
document.addEventListener('keydown', (event) => {
  const onControl = event.target.closest('button, input, a');
  const isFree = !onControl || (onControl.tagName === 'BUTTON' && event.key !== ' ');
  if (!KEYS[event.key] || !isFree || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  KEYS[event.key]();
});
for (const name of ['play', 'pause', 'volumechange']) video.addEventListener(name, showControls);
document.addEventListener('fullscreenchange', showControls);

// --- going on ---

async function ask() {
  try {
    const answer = await fetch('/status.json', { cache: 'no-store', signal: AbortSignal.timeout(5000) });
    channel = answer.ok ? await answer.json() : null;
  } catch {
    channel = null;
  }
}

async function watch() {
  for (;;) {
    await ask();
    show();
    keepPlaying();
    await sleep(channel && channel.state === 'on_air' ? 1000 : 500);
  }
}

video.volume = 0.8;
video.muted = true;
showControls();
setInterval(() => { keepPlaying(); chase(); show(); }, 250);
watch();
