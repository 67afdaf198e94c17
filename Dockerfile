# Sluice in an image: `sluice` and nothing else of the build, run by a user without rights. The
# target "simulator" adds the simulated provider for trying things out.
FROM debian:12 AS build
WORKDIR /src
COPY scripts/setup scripts/setup
RUN scripts/setup --build && rm -rf /var/lib/apt/lists/*
COPY . .
RUN cmake -S . -B /build -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DWERROR=ON -DCMAKE_INSTALL_PREFIX=/usr \
	&& cmake --build /build --target sluice simulator \
	&& DESTDIR=/out cmake --install /build --strip

FROM debian:12-slim AS runtime
RUN apt-get update -q \
	&& apt-get install -y -q --no-install-recommends librdkafka1 libcurl4 libjansson4 libpq5 \
		libmicrohttpd12 libfyaml0 libpcre2-8-0 libssl3 libzstd1 ca-certificates \
	&& rm -rf /var/lib/apt/lists/* \
	&& useradd --system --home-dir /var/lib/sluice --create-home sluice \
	&& install -d -o sluice /var/lib/sluice/spool
COPY --from=build /out/usr /usr
USER sluice
WORKDIR /var/lib/sluice
ENTRYPOINT ["sluice"]
CMD ["worker"]

FROM runtime AS simulator
COPY --from=build /build/tests/simulator/simulator /usr/bin/simulator
ENTRYPOINT ["simulator"]
CMD ["--address", "0.0.0.0", "--port", "8080"]

FROM runtime
