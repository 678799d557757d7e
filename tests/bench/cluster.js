/* What Node's cluster makes of the same task: two workers, connections handed out round robin. */
'use strict';
const cluster = require('cluster');
const net = require('net');

const answer = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n' +
	'Connection: close\r\n\r\nHello, HTTP!';

if (cluster.isPrimary) {
	let port = 0;
	let waiting = 2;

	cluster.schedulingPolicy = cluster.SCHED_RR;
	for (let i = 0; i < 2; i++)
		cluster.fork();
	cluster.on('listening', (worker, address) => {
		port = address.port;
		if (--waiting === 0)
			console.log(`port ${port}`);
	});
	process.on('SIGTERM', () => {
		for (const worker of Object.values(cluster.workers))
			worker.process.kill('SIGTERM');
		process.exit(0);
	});
} else {
	const server = net.createServer((socket) => {
		socket.on('error', () => socket.destroy());
		socket.once('data', () => socket.end(answer));
	});

	server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 });
}
