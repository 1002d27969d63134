import time
async def test_x(make_settings, make_database, servers):
    from tests.conftest import serving
    for _ in range(5):
        t=time.perf_counter(); name=await make_database("usher_demo"); t1=time.perf_counter()
        s=make_settings(); 
        async with serving(s) as c:
            t2=time.perf_counter()
            await c.get("/screenings/1/seats"); t3=time.perf_counter()
            await c.post("/auth/guest", json={"email":"a@b.c"}); t4=time.perf_counter()
        t5=time.perf_counter()
        print("db",round(t1-t,3),"open",round(t2-t1,3),"first",round(t3-t2,3),"guest",round(t4-t3,3),"close",round(t5-t4,3))
